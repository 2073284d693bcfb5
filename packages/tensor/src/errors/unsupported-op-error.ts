import { LimenError } from '@limen/cuda-kernels';

/** An op that this device or this build of the addon has no kernel for. */
export class UnsupportedOpError extends LimenError {
  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('UNSUPPORTED_OP', message, details);
  }
}
