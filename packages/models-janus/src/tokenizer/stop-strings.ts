// Ends a stream of text at the first stop string. Text that might be the beginning of one is held back until it is known.

/** What may be passed on after a piece of text. */
export interface StopResult {
  readonly text: string;
  readonly stopped: boolean;
  /** The stop string that was met; it and what follows are not part of `text`. */
  readonly stop?: string;
}

/** Looks for stop strings across the borders of pieces. */
export class StopStrings {
  private held = '';
  private stopped = false;
  private readonly stops: readonly string[];
  private readonly longest: number;

  /** @param stops - empty strings are ignored */
  constructor(stops: readonly string[]) {
    this.stops = stops.filter((stop) => stop.length > 0);
    this.longest = this.stops.reduce((longest, stop) => Math.max(longest, stop.length), 0);
  }

  /** Takes the next piece. After a stop every further piece yields nothing. */
  push(piece: string): StopResult {
    if (this.stopped) return { text: '', stopped: true };
    const text = this.held + piece;
    let first = -1;
    let found = '';
    for (const stop of this.stops) {
      const at = text.indexOf(stop);
      // Of two that begin at one place the longer wins: it would be met in any case.
      if (at >= 0 && (first < 0 || at < first || (at === first && stop.length > found.length)))
        [first, found] = [at, stop];
    }
    if (first >= 0) {
      this.stopped = true;
      this.held = '';
      return { text: text.slice(0, first), stopped: true, stop: found };
    }
    const keep = this.undecidedTail(text);
    this.held = text.slice(text.length - keep);
    return { text: text.slice(0, text.length - keep), stopped: false };
  }

  /** What was held back and turned out not to be a stop string. */
  end(): string {
    const { held } = this;
    this.held = '';
    return held;
  }

  // Length of the longest end of `text` with which a stop string begins.
  private undecidedTail(text: string): number {
    for (let length = Math.min(this.longest - 1, text.length); length > 0; length--) {
      const tail = text.slice(text.length - length);
      if (this.stops.some((stop) => stop.startsWith(tail))) return length;
    }
    return 0;
  }
}
