// How busy a GPU is, how warm, how much memory is taken: from the driver's management library (NVML), where there is one.

import { listDevices } from './device.js';
import { loadNative } from './load-native.js';
import type { NativeGpuStatus } from './native-types.js';

/** What NVML says about a GPU now. What the GPU does not report is left out. */
export type GpuStatus = Omit<Extract<NativeGpuStatus, { readonly available: true }>, 'available'>;

/** A reading, or why there is none. */
export type GpuStatusReading =
  ({ readonly available: true } & GpuStatus) | { readonly available: false; readonly reason: string };

/**
 * The state of a GPU. Never throws: without a GPU, a driver or the library the reading says so.
 *
 * @param index - as in `cuda:0`; on a machine whose addon was built without CUDA, NVML's own index
 */
export function gpuStatus(index = 0): GpuStatusReading {
  const { binding, reason } = loadNative();
  if (binding === null) return { available: false, reason: reason ?? 'the native addon could not be loaded' };
  // An addon that was built before this package was updated.
  if (typeof (binding as Partial<typeof binding>).gpuStatus !== 'function') {
    return { available: false, reason: 'the native addon is older than this package' };
  }
  try {
    const status = binding.gpuStatus(listDevices()[index]?.pciBusId ?? '', index);
    return status.available ? status : { available: false, reason: status.error };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
