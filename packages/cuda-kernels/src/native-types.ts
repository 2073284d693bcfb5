// Typed mirror of what native/addon.cc exports, one to one. Nothing here runs.
// Addresses are plain numbers: user-space and device addresses on x86-64 stay below 2^53.

/** A registered kernel: its name (snake_case, as the file in native/kernels or native/cpu) and where it runs. */
export interface NativeOp {
  readonly name: string;
  readonly backend: 'cpu' | 'cuda';
  /** Whether it asks for scratch memory (`opWorkspace` must be called first). */
  readonly usesWorkspace: boolean;
}

/** What the CUDA runtime says about this machine. Never throws: a missing driver is reported, not raised. */
export interface NativeCudaStatus {
  /** Whether the addon was compiled with CUDA at all. */
  readonly compiled: boolean;
  /** CUDA version of the installed driver, e.g. 13000; 0 when there is no driver. */
  readonly driverVersion: number;
  /** CUDA version the addon was compiled with, e.g. 13000; 0 when compiled without. */
  readonly runtimeVersion: number;
  readonly deviceCount: number;
  /** Status of `cudaGetDeviceCount`: 0 is success, 35 an insufficient driver, 100 no device. */
  readonly errorCode: number;
  readonly errorName: string;
  readonly errorMessage: string;
}

export interface NativeDeviceProperties {
  readonly name: string;
  readonly computeCapabilityMajor: number;
  readonly computeCapabilityMinor: number;
  readonly multiprocessorCount: number;
  readonly totalMemoryBytes: number;
  readonly l2CacheBytes: number;
  readonly sharedMemoryPerBlockBytes: number;
  readonly clockRateKilohertz: number;
  readonly memoryClockRateKilohertz: number;
  readonly memoryBusWidthBits: number;
  readonly uuid: string;
  readonly pciBusId: string;
}

/** Why an optional library could or could not be opened at run time. */
export interface NativeLibraryStatus {
  readonly name: 'cublasLt' | 'nccl' | 'nvml';
  readonly loaded: boolean;
  readonly path: string;
  readonly error: string;
}

/**
 * What the driver's management library says about a GPU now. What a GPU does not report is left out.
 * Source: https://docs.nvidia.com/deploy/nvml-api/
 */
export type NativeGpuStatus =
  | { readonly available: false; readonly error: string }
  | {
      readonly available: true;
      readonly name?: string;
      readonly driverVersion?: string;
      /** Share of the last sample period in which a kernel ran, 0 to 100. */
      readonly utilizationPercent?: number;
      /** Share in which memory was read or written, 0 to 100. */
      readonly memoryUtilizationPercent?: number;
      /** Of all processes. */
      readonly memoryUsedBytes?: number;
      readonly memoryTotalBytes?: number;
      readonly temperatureCelsius?: number;
      readonly powerMilliwatts?: number;
      readonly powerLimitMilliwatts?: number;
      readonly multiprocessorClockMegahertz?: number;
      readonly memoryClockMegahertz?: number;
      readonly largestMultiprocessorClockMegahertz?: number;
    };

/**
 * One op call, packed so that a single typed array crosses the border.
 *
 * `descriptor` holds for each tensor, inputs then outputs in declaration order:
 * `[address, dtype, rank, shape[0..rank), stride[0..rank)]`, strides in elements;
 * an optional tensor that was not given is `[0, 0, 0]`.
 */
export type TensorDescriptors = Float64Array;

export interface NativeBinding {
  readonly version: string;

  // ── ops ──
  ops(): NativeOp[];
  /** Bytes of scratch memory the op needs for these arguments. `op` is the index in `ops()`. */
  opWorkspace(op: number, tensorCount: number, descriptors: TensorDescriptors, attributes: Float64Array): number;
  /** Enqueues the op on `stream` (CUDA) or runs it to its end (CPU, `device` and `stream` are ignored). */
  runOp(
    op: number,
    device: number,
    stream: number,
    tensorCount: number,
    descriptors: TensorDescriptors,
    attributes: Float64Array,
    workspace: number,
    workspaceBytes: number,
  ): void;

  // ── host ──
  /** Address of an ArrayBuffer's first byte. The caller keeps the buffer alive while the address is in use. */
  addressOf(buffer: ArrayBuffer): number;
  /**
   * Maps a file, or `bytes` bytes of it from `offset`, read-only. The pages are unmapped when the ArrayBuffer is
   * collected. Writing to it is a fault. Node.js 20 allows 4 GiB in one ArrayBuffer (BUFFER_TOO_LARGE): map larger files
   * in parts.
   */
  mapFile(path: string, offset?: number, bytes?: number): ArrayBuffer;
  /** Threads that CPU ops use; the default is the number of usable cores. */
  cpuThreads(): number;
  setCpuThreads(count: number): void;
  /** Instruction sets the CPU kernels chose from, e.g. `['avx2', 'fma', 'avx512f']`. */
  cpuFeatures(): string[];

  // ── devices ──
  cudaStatus(): NativeCudaStatus;
  deviceProperties(device: number): NativeDeviceProperties;
  memoryInfo(device: number): { readonly freeBytes: number; readonly totalBytes: number };
  libraries(): NativeLibraryStatus[];
  /** By PCI bus id, or by NVML's own index where the bus id is empty. Works without CUDA; never throws for a GPU's sake. */
  gpuStatus(pciBusId: string, index: number): NativeGpuStatus;

  // ── memory ──
  allocate(device: number, bytes: number): number;
  free(device: number, address: number): void;
  /** Page-locked host memory as an ArrayBuffer; freed when collected or by `freePinned`. */
  allocatePinned(bytes: number): ArrayBuffer;
  freePinned(buffer: ArrayBuffer): void;
  /** Fills with a byte value, in stream order. */
  fill(device: number, address: number, value: number, bytes: number, stream: number): void;
  /**
   * Enqueues a copy from host memory. An ordinary source may be reused at once (the driver stages it); a pinned one must
   * stay as it is until the copy has run. During a capture the source must be pinned.
   */
  copyToDevice(device: number, address: number, source: ArrayBufferView, stream: number): void;
  copyOnDevice(device: number, target: number, source: number, bytes: number, stream: number): void;
  /** Enqueues a copy to host memory and resolves when the bytes are there; the wait is off the event loop. */
  copyToHost(
    device: number,
    address: number,
    target: ArrayBuffer,
    targetOffset: number,
    bytes: number,
    stream: number,
  ): Promise<void>;
  /** Enqueues a copy into a pinned buffer and returns at once; pair it with an event. */
  copyToPinned(
    device: number,
    address: number,
    target: ArrayBuffer,
    targetOffset: number,
    bytes: number,
    stream: number,
  ): void;

  // ── streams and events ──
  createStream(device: number): number;
  destroyStream(device: number, stream: number): void;
  /** Resolves when everything enqueued before has run; waits off the event loop. */
  synchronizeStream(device: number, stream: number): Promise<void>;
  createEvent(device: number, timing: boolean): number;
  destroyEvent(device: number, event: number): void;
  recordEvent(device: number, event: number, stream: number): void;
  /** Work enqueued on `stream` after this call waits for `event`. */
  waitEvent(device: number, stream: number, event: number): void;
  eventReached(device: number, event: number): boolean;
  synchronizeEvent(device: number, event: number): Promise<void>;
  elapsedMilliseconds(device: number, start: number, end: number): number;

  // ── graphs ──
  beginCapture(device: number, stream: number): void;
  /** Ends the capture; returns the graph, or throws and leaves the stream usable. */
  endCapture(device: number, stream: number): number;
  /** Ends a capture that failed half way and throws its graph away. */
  abortCapture(device: number, stream: number): void;
  isCapturing(device: number, stream: number): boolean;
  graphNodeCount(graph: number): number;
  instantiateGraph(device: number, graph: number): number;
  launchGraph(device: number, executable: number, stream: number): void;
  destroyGraph(graph: number): void;
  destroyGraphExecutable(executable: number): void;
}
