import { LimenError } from './limen-error.js';

/** Use of something after its `dispose`. */
export class DisposedError extends LimenError {
  /** @param what - what was disposed, e.g. `tensor bf16[2, 4096] cuda:0` */
  constructor(what: string, action = 'used') {
    super(
      'DISPOSED',
      `${what} was ${action} after it had been disposed. Keep it alive (a \`using\` ends with its block), or clone it.`,
      { what },
    );
  }
}
