// Names of the places where tensors live.

import { UnknownDeviceError } from './errors/unknown-device-error.js';

/** `'cpu'`, or `'cuda:N'` with the index of the GPU. */
export type DeviceName = 'cpu' | `cuda:${number}`;

/**
 * Reads a device name; `'cuda'` means `'cuda:0'`.
 *
 * @throws {UnknownDeviceError} the text names no kind of device that Limen knows
 */
export function parseDevice(text: string): DeviceName {
  if (text === 'cpu') return 'cpu';
  if (text === 'cuda') return 'cuda:0';
  if (/^cuda:\d{1,3}$/.test(text)) return `cuda:${Number(text.slice(5))}`;
  throw new UnknownDeviceError(text);
}

/** Index of the GPU, or -1 for the CPU. */
export function deviceIndex(device: DeviceName): number {
  return device === 'cpu' ? -1 : Number(device.slice(5));
}
