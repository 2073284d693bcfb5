import { LimenError } from '@limen/tensor';

/** A command line that cannot be run as it is. */
export class UsageError extends LimenError {
  constructor(text: string) {
    super('USAGE', text);
  }
}
