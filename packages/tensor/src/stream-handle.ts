// The stream behind a device's ops, for those who measure or wait with the handles of @limen/cuda-kernels.

import { cudaBackendFor } from './backends/backends.js';
import { parseDevice } from './device.js';

/**
 * Handle of the stream that ops of a device are enqueued on; undefined on the CPU, where an op has run when it returns.
 *
 * @throws {UnknownDeviceError} the text names no device
 * @throws {DeviceNotAvailableError} a CUDA device that this machine or this build does not have
 */
export function streamHandle(device: string): number | undefined {
  return cudaBackendFor(parseDevice(device))?.stream;
}
