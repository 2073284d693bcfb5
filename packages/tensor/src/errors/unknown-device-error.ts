import { LimenError } from '@limen/cuda-kernels';

/** A device name that is neither `cpu` nor `cuda[:N]`. */
export class UnknownDeviceError extends LimenError {
  constructor(text: string) {
    super('UNKNOWN_DEVICE', `device: expected 'cpu', 'cuda' or 'cuda:N', got '${text}'. \`limen doctor\` lists the devices of this machine.`, { device: text });
  }
}
