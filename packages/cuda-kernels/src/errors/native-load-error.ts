import type { LoadAttempt } from '../native-load.js';
import { LimenError } from './limen-error.js';

/** The native addon is needed and could not be loaded. The text names every place that was tried and what to run. */
export class NativeLoadError extends LimenError {
  readonly attempts: readonly LoadAttempt[];

  constructor(text: string, attempts: readonly LoadAttempt[]) {
    super('NATIVE_NOT_LOADED', text, { attempts });
    this.attempts = attempts;
  }
}
