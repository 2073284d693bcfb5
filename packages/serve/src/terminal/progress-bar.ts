// Progress on standard error: a bar that redraws itself on a terminal, a line now and then elsewhere.

/** Where progress is written; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Options of a bar. */
export interface ProgressBarOptions {
  readonly stream?: ProgressStream;
  /** Milliseconds of a clock. */
  readonly now?: () => number;
}

const linesEveryMilliseconds = 2_000;
const redrawsEveryMilliseconds = 50;
const width = 24;

/** One line of progress. */
export class ProgressBar {
  readonly #title: string;
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  readonly #startedAt: number;
  #shownAt: number;

  constructor(title: string, { stream = process.stderr, now = () => performance.now() }: ProgressBarOptions = {}) {
    this.#title = title;
    this.#stream = stream;
    this.#now = now;
    this.#startedAt = now();
    this.#shownAt = stream.isTTY === true ? Number.NEGATIVE_INFINITY : this.#startedAt;
  }

  /** @param done - of `total`, in any unit */
  update(done: number, total: number): void {
    const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
    const isTerminal = this.#stream.isTTY === true;
    const pause = isTerminal ? redrawsEveryMilliseconds : linesEveryMilliseconds;
    if (this.#now() - this.#shownAt < pause) return;
    this.#shownAt = this.#now();
    const percent = `${Math.floor(share * 100)} %`;
    if (!isTerminal) {
      this.#stream.write(`${this.#title}: ${percent}\n`);
      return;
    }
    const filled = Math.round(share * width);
    const line = `${this.#title} ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${percent}`;
    this.#stream.write(`\r\u001b[K${line.slice(0, (this.#stream.columns || 80) - 1)}`);
  }

  /** Replaces the bar by a line that stays, with the time taken; `note` follows the title. */
  finish(note = ''): void {
    const seconds = ((this.#now() - this.#startedAt) / 1000).toFixed(1);
    const start = this.#stream.isTTY === true ? '\r\u001b[K' : '';
    this.#stream.write(`${start}${this.#title}${note === '' ? '' : ` ${note}`}: ${seconds} s\n`);
  }

  /** Takes the bar away, for when something failed and its error comes next. */
  clear(): void {
    if (this.#stream.isTTY === true) this.#stream.write('\r\u001b[K');
  }
}
