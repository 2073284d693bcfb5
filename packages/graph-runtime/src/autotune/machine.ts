// What a tuned choice holds for: another GPU, driver or version of the kernels may want another one.

import { availableParallelism, cpus } from 'node:os';

import { gpuStatus, listDevices, loadNative } from '@limen/cuda-kernels';
import { parseDevice } from '@limen/tensor';

/** A device with the software that drives it. */
export interface Machine {
  /** Name of the GPU or processor. */
  readonly device: string;
  /** Version of the GPU driver; of Node.js for the CPU. */
  readonly driver: string;
  /** Compute capability and multiprocessors, or threads and instruction sets. */
  readonly capability: string;
  /** Version of the native kernels; `none` where everything runs through references. */
  readonly kernels: string;
}

/**
 * The machine behind a device.
 *
 * @throws {UnknownDeviceError} the text names no device
 */
export function machineOf(device: string): Machine {
  const name = parseDevice(device);
  const { binding } = loadNative();
  const kernels = binding?.version ?? 'none';
  if (name === 'cpu') {
    const threads = binding?.cpuThreads() ?? availableParallelism();
    return {
      device: cpus()[0]?.model ?? 'unknown processor',
      driver: `node ${process.versions.node}`,
      capability: [`${threads} threads`, ...(binding?.cpuFeatures() ?? [])].join(' '),
      kernels,
    };
  }
  const index = Number(name.slice(name.indexOf(':') + 1));
  const found = listDevices()[index];
  const status = gpuStatus(index);
  const driver = status.available ? status.driverVersion : undefined;
  return {
    device: found?.name ?? name,
    driver: driver ?? `cuda ${binding?.cudaStatus().driverVersion ?? 0}`,
    capability: `sm_${found?.computeCapabilityMajor ?? 0}${found?.computeCapabilityMinor ?? 0} × ${found?.multiprocessorCount ?? 0}`,
    kernels,
  };
}

/** Whether a choice made on one holds on the other. */
export function sameMachine(first: Machine, second: Machine): boolean {
  return (
    first.device === second.device &&
    first.driver === second.driver &&
    first.capability === second.capability &&
    first.kernels === second.kernels
  );
}
