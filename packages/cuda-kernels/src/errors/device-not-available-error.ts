import { LimenError } from './limen-error.js';

/** A CUDA device that was asked for and cannot be used, with the reason. */
export class DeviceNotAvailableError extends LimenError {
  /**
   * @param device - the name asked for, e.g. `cuda:0`
   * @param reason - one sentence: no addon, no driver, too old a driver, no such index
   */
  constructor(device: string, reason: string, details: Readonly<Record<string, unknown>> = {}) {
    super(
      'DEVICE_NOT_AVAILABLE',
      `${device} is not available: ${reason} Run \`limen doctor\` for details, or use device 'cpu'.`,
      { device, reason, ...details },
    );
  }
}
