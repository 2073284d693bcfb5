import { LimenError } from '@limen/cuda-kernels';

/** Strides that an op or a view cannot work with. */
export class LayoutError extends LimenError {
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('LAYOUT', message, details);
  }
}
