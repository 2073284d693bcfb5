// First come, first served: runs one job at a time and refuses more waiting work than it was given room for.
// It knows nothing of models or of HTTP.

import { QueueFullError } from '../errors/queue-full-error.js';

/** Work that stops soon after its signal fires. */
export type Work<T> = (signal: AbortSignal) => Promise<T>;

/** What the queue has done and is doing. */
export interface JobQueueStatistics {
  readonly waiting: number;
  readonly running: number;
  readonly maxWaiting: number;
  readonly completed: number;
  readonly failed: number;
  /** Ended by their signal, while waiting or while running. */
  readonly cancelled: number;
  /** Never accepted, for want of room. */
  readonly refused: number;
  /** Mean time of the jobs that ran; 0 before the first one ended. */
  readonly meanRunMilliseconds: number;
  /** Mean time between acceptance and start; 0 before the first start. */
  readonly meanWaitMilliseconds: number;
}

interface WaitingJob {
  /** Runs the work; the function it resolves with tells the caller how that went. */
  readonly start: () => Promise<() => void>;
  readonly acceptedAt: number;
}

/** A bounded queue with one job running. */
export class JobQueue {
  readonly #maxWaiting: number;
  readonly #waiting = new Set<WaitingJob>();
  #running = 0;
  #started = 0;
  #waitedMilliseconds = 0;
  #ranMilliseconds = 0;
  #completed = 0;
  #failed = 0;
  #cancelled = 0;
  #refused = 0;
  #idleListeners: (() => void)[] = [];

  /** @param maxWaiting - jobs that may wait behind the running one */
  constructor({ maxWaiting = 64 }: { readonly maxWaiting?: number } = {}) {
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Accepts work, to run after all work accepted before. A job that fails leaves the others as they are.
   *
   * @returns the work's result; rejects with the signal's reason when it fires before the work starts. Running work
   * settles by itself, because the next job may only start once it has let go of the model
   * @throws {QueueFullError} at once, not through the promise: nothing was accepted
   */
  submit<T>(work: Work<T>, signal: AbortSignal = new AbortController().signal): Promise<T> {
    if (this.#running > 0 && this.#waiting.size >= this.#maxWaiting) {
      this.#refused++;
      throw new QueueFullError(this.#maxWaiting, this.#retryAfterSeconds());
    }
    return new Promise<T>((resolve, reject) => {
      const job: WaitingJob = {
        acceptedAt: performance.now(),
        start: async () => {
          signal.removeEventListener('abort', cancel);
          try {
            const result = await work(signal);
            this.#completed++;
            return () => resolve(result);
          } catch (error) {
            this.#countEnd(signal);
            return () => reject(error);
          }
        },
      };
      const cancel = () => {
        if (!this.#waiting.delete(job)) return;
        this.#cancelled++;
        reject(signal.reason as Error);
      };
      this.#waiting.add(job);
      if (signal.aborted) cancel();
      else signal.addEventListener('abort', cancel, { once: true });
      this.#startNext();
    });
  }

  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void> {
    if (this.#running === 0 && this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleListeners.push(resolve));
  }

  get statistics(): JobQueueStatistics {
    const ended = this.#completed + this.#failed;
    return {
      waiting: this.#waiting.size,
      running: this.#running,
      maxWaiting: this.#maxWaiting,
      completed: this.#completed,
      failed: this.#failed,
      cancelled: this.#cancelled,
      refused: this.#refused,
      meanRunMilliseconds: ended === 0 ? 0 : this.#ranMilliseconds / ended,
      meanWaitMilliseconds: this.#started === 0 ? 0 : this.#waitedMilliseconds / this.#started,
    };
  }

  #startNext(): void {
    if (this.#running > 0) return;
    const [job] = this.#waiting;
    if (job === undefined) {
      for (const listener of this.#idleListeners.splice(0)) listener();
      return;
    }
    this.#waiting.delete(job);
    this.#running++;
    this.#started++;
    const startedAt = performance.now();
    this.#waitedMilliseconds += startedAt - job.acceptedAt;
    void job.start().then((settle) => {
      this.#ranMilliseconds += performance.now() - startedAt;
      this.#running--;
      // Whoever waits for the result finds the place free.
      settle();
      this.#startNext();
    });
  }

  #countEnd(signal: AbortSignal): void {
    if (signal.aborted) this.#cancelled++;
    else this.#failed++;
  }

  #retryAfterSeconds(): number {
    const everyJob = this.statistics.meanRunMilliseconds * (this.#waiting.size + 1);
    return Math.min(60, Math.max(1, Math.ceil(everyJob / 1000)));
  }
}
