import { LimenError } from '@limen/cuda-kernels';

/** A device name that is neither `cpu` nor `cuda[:N]`. */
export class UnknownDeviceError extends LimenError {
  constructor(text: string) {
    super(
      'UNKNOWN_DEVICE',
      `device is unknown: expected 'cpu', 'cuda' or 'cuda:N', got '${text}'. Run \`limen doctor\` to see what this machine has.`,
      { device: text },
    );
  }
}
