import { LimenError } from '@limen/tensor';

/** The engine has as much waiting work as it accepts. Nothing was started; the same request may succeed later. */
export class QueueFullError extends LimenError {
  /** When to try again, from how long recent jobs took. */
  readonly retryAfterSeconds: number;

  constructor(waiting: number, retryAfterSeconds: number) {
    super(
      'QUEUE_FULL',
      `engine: the queue is full: expected room for one more job, got ${waiting} waiting besides the running one. Try again in ${retryAfterSeconds} s.`,
      { waiting, retryAfterSeconds },
    );
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
