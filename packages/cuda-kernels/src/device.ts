// Which CUDA devices this process can use, and what they are.

import { DeviceNotAvailableError } from './errors/device-not-available-error.js';
import { loadNative } from './load-native.js';
import type { NativeBinding, NativeDeviceProperties } from './native-types.js';

/** A device with its index, as in `cuda:0`. */
export interface Device extends NativeDeviceProperties {
  readonly index: number;
}

/** Why no CUDA device can be used, in one sentence; undefined when there is one. */
export function cudaUnavailableReason(): string | undefined {
  const { binding, reason } = loadNative();
  if (binding === null) return `The native addon could not be loaded: ${reason ?? 'unknown reason'}.`;
  const status = binding.cudaStatus();
  if (!status.compiled) return 'The native addon was built without CUDA.';
  if (status.driverVersion === 0) return 'No NVIDIA driver was found on this machine.';
  if (status.errorCode !== 0) {
    const versions = `driver for CUDA ${formatVersion(status.driverVersion)}, addon for CUDA ${formatVersion(status.runtimeVersion)}`;
    return `The CUDA runtime could not start: ${status.errorMessage} (${status.errorName}; ${versions}).`;
  }
  return status.deviceCount === 0 ? 'The driver found no CUDA device.' : undefined;
}

/** All CUDA devices of this process; empty when there are none, for whatever reason. */
export function listDevices(): readonly Device[] {
  const { binding } = loadNative();
  if (binding === null || cudaUnavailableReason() !== undefined) return [];
  return Array.from({ length: binding.cudaStatus().deviceCount }, (_, index) => ({
    index,
    ...binding.deviceProperties(index),
  }));
}

/**
 * The binding, for use with device `index`.
 *
 * @throws {DeviceNotAvailableError} no addon, no driver, or no such device
 */
export function requireDevice(index: number): NativeBinding {
  const name = `cuda:${index}`;
  const reason = cudaUnavailableReason();
  const { binding } = loadNative();
  if (reason !== undefined || binding === null) throw new DeviceNotAvailableError(name, reason ?? 'no addon.');
  const { deviceCount } = binding.cudaStatus();
  if (!Number.isInteger(index) || index < 0 || index >= deviceCount) {
    throw new DeviceNotAvailableError(
      name,
      `this machine has ${deviceCount} CUDA device(s), the highest is cuda:${deviceCount - 1}.`,
    );
  }
  return binding;
}

// 13000 is 13.0, 12080 is 12.8
function formatVersion(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}
