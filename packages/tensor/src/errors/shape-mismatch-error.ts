import { LimenError } from '@limen/cuda-kernels';

/** Sizes that contradict an op's contract, each other, or the data. */
export class ShapeMismatchError extends LimenError {
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('SHAPE_MISMATCH', message, details);
  }
}
