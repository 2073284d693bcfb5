// What a device can do, for those who choose between ops.

import { listDevices } from '@limen/cuda-kernels';

import { parseDevice } from './device.js';

/**
 * Compute capability of a CUDA device, e.g. 9 for `sm_90`; undefined for the CPU and for devices that are not there.
 *
 * @throws {UnknownDeviceError} the text names no device
 */
export function computeCapability(device: string): number | undefined {
  const name = parseDevice(device);
  if (name === 'cpu') return undefined;
  const found = listDevices()[Number(name.slice(name.indexOf(':') + 1))];
  return found === undefined ? undefined : found.computeCapabilityMajor + found.computeCapabilityMinor / 10;
}
