import { LimenError } from '@limen/cuda-kernels';

/** Tensors of one call that live on different devices. */
export class DeviceMismatchError extends LimenError {
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('DEVICE_MISMATCH', message, details);
  }
}
