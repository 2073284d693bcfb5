// What a device holds and how busy it is, as the performance monitor reports it.

import { gpuStatus, type GpuStatusReading } from '@limen/cuda-kernels';
import { memoryStatistics, parseDevice } from '@limen/tensor';

/** Memory of this process on a device, in bytes. */
export interface MemoryFigures {
  /** Held by live tensors; on the CPU what the process occupies. */
  readonly inUseBytes: number;
  /** Most that `inUseBytes` has been. */
  readonly peakBytes: number;
  /** Taken from the driver, idle memory included; on the CPU the same as `inUseBytes`. */
  readonly reservedBytes: number;
}

/** Where a monitor asks. */
export interface DeviceSources {
  readonly memory: () => MemoryFigures;
  /** Undefined for a CPU. */
  readonly gpu: (() => GpuStatusReading) | undefined;
}

/**
 * The sources of a device: its memory pool and NVML for a GPU, the operating system's figures for the CPU.
 *
 * @throws {UnknownDeviceError} the text names no device
 */
export function deviceSources(device: string): DeviceSources {
  const name = parseDevice(device);
  if (name === 'cpu') return { memory: processMemory, gpu: undefined };
  const index = Number(name.slice(name.indexOf(':') + 1));
  return {
    memory() {
      const pool = memoryStatistics(name);
      return {
        inUseBytes: pool?.inUseBytes ?? 0,
        peakBytes: pool?.peakInUseBytes ?? 0,
        reservedBytes: pool?.reservedBytes ?? 0,
      };
    },
    gpu: () => gpuStatus(index),
  };
}

function processMemory(): MemoryFigures {
  const { rss } = process.memoryUsage();
  const peakBytes = Math.max(rss, process.resourceUsage().maxRSS * 1024);
  return { inUseBytes: rss, peakBytes, reservedBytes: rss };
}
