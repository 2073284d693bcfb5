import { LimenError } from '@limen/cuda-kernels';

/** A plain argument (number, option, name) outside what is allowed. */
export class InvalidArgumentError extends LimenError {
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('INVALID_ARGUMENT', message, details);
  }
}
