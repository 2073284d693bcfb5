// What doctor looks at, as plain facts. Nothing is judged here, and nothing throws.

import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { cpus, freemem, totalmem } from 'node:os';

import { type Device, explainLoadFailure, listDevices, loadNative, type LoadAttempt } from '@limen/cuda-kernels';
import type { NativeCudaStatus, NativeLibraryStatus } from '@limen/cuda-kernels';

/** A GPU and its free memory. */
export interface DeviceFacts extends Device {
  readonly freeMemoryBytes: number;
}

/** A machine as Limen sees it. */
export interface MachineFacts {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly glibc: string | undefined;
  readonly processor: string;
  readonly cores: number;
  readonly memory: { readonly freeBytes: number; readonly totalBytes: number };
  /** Space where the command was started; undefined when the file system does not tell. */
  readonly disk: { readonly folder: string; readonly freeBytes: number } | undefined;
  readonly addon: {
    readonly path: string | undefined;
    readonly version: string | undefined;
    readonly attempts: readonly LoadAttempt[];
    /** Several lines on why it is not loaded and what to do; undefined when it is. */
    readonly explanation: string | undefined;
    readonly threads: number;
    readonly cpuFeatures: readonly string[];
    readonly cpuOps: number;
    readonly cudaOps: number;
  };
  /** Version of the NVIDIA kernel module; undefined where there is none. */
  readonly driver: string | undefined;
  /** Device files of NVIDIA that exist but cannot be opened. */
  readonly closedDeviceFiles: readonly string[];
  readonly cuda: NativeCudaStatus | undefined;
  readonly devices: readonly DeviceFacts[];
  readonly libraries: readonly NativeLibraryStatus[];
}

/** Looks at this machine. The addon and the driver are asked in this process, after the loader's probe in another one. */
export function inspectMachine(folder = process.cwd()): MachineFacts {
  const load = loadNative();
  const { binding } = load;
  const ops = binding?.ops() ?? [];
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: report.header?.glibcVersionRuntime,
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: cpus().length,
    memory: { freeBytes: freemem(), totalBytes: totalmem() },
    disk: attempt(() => {
      const { bavail, bsize } = statfsSync(folder);
      return { folder, freeBytes: bavail * bsize };
    }),
    addon: {
      path: load.path,
      version: binding?.version,
      attempts: load.attempts,
      explanation: binding === null ? explainLoadFailure(load, 'node_modules/@limen/cuda-kernels') : undefined,
      threads: binding?.cpuThreads() ?? 1,
      cpuFeatures: binding?.cpuFeatures() ?? [],
      cpuOps: ops.filter(({ backend }) => backend === 'cpu').length,
      cudaOps: ops.filter(({ backend }) => backend === 'cuda').length,
    },
    driver: attempt(
      () => /Kernel Module.*?\s(\d+[\d.]+)/.exec(readFileSync('/proc/driver/nvidia/version', 'utf8'))?.[1],
    ),
    closedDeviceFiles: ['/dev/nvidia0', '/dev/nvidiactl', '/dev/nvidia-uvm'].filter(
      (file) => existsSync(file) && !isOpen(file),
    ),
    cuda: binding?.cudaStatus(),
    devices: listDevices().map((device) => ({
      ...device,
      freeMemoryBytes: attempt(() => binding?.memoryInfo(device.index).freeBytes) ?? 0,
    })),
    libraries: attempt(() => binding?.libraries()) ?? [],
  };
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function isOpen(file: string): boolean {
  return attempt(() => accessSync(file, constants.R_OK | constants.W_OK) === undefined) === true;
}
