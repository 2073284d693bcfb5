import { LimenError } from '@limen/cuda-kernels';

/** An element type that the op does not take, or that differs where it must not. */
export class UnsupportedDTypeError extends LimenError {
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('UNSUPPORTED_DTYPE', message, details);
  }
}
