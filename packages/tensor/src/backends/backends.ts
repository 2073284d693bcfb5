// One backend per device, made on first use.

import type { DeviceName } from '../device.js';
import type { Backend } from './backend.js';
import { CpuBackend } from './cpu-backend.js';
import { CudaBackend } from './cuda-backend.js';

const open = new Map<DeviceName, Backend>();

/**
 * The backend of a device.
 *
 * @throws {DeviceNotAvailableError} a CUDA device that this machine or this build does not have
 */
export function backendFor(device: DeviceName): Backend {
  let backend = open.get(device);
  if (backend === undefined) {
    backend = device === 'cpu' ? new CpuBackend() : new CudaBackend(device);
    open.set(device, backend);
  }
  return backend;
}

/** The CUDA backend of a device, for what only a GPU has. */
export function cudaBackendFor(device: DeviceName): CudaBackend | undefined {
  const backend = backendFor(device);
  return backend instanceof CudaBackend ? backend : undefined;
}

/** Names of the kernels that the addon brings for the CPU; empty where everything runs through the references. */
export function nativeCpuKernels(): readonly string[] {
  const backend = backendFor('cpu');
  return backend instanceof CpuBackend ? backend.nativeKernels : [];
}
