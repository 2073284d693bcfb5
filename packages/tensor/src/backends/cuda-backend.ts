// A CUDA device: memory from the pool, ops enqueued on one stream, recording as a CUDA graph.

import { DeviceNotAvailableError, loadNative, type NativeBinding } from '@limen/cuda-kernels';

import { type DeviceName, deviceIndex } from '../device.js';
import { CaptureViolationError } from '../errors/capture-violation-error.js';
import { InvalidArgumentError } from '../errors/invalid-argument-error.js';
import { UnsupportedOpError } from '../errors/unsupported-op-error.js';
import type { Allocation } from '../storage.js';
import type { Tensor } from '../tensor.js';
import type { Backend, PreparedCall, Recording } from './backend.js';
import { CudaSideStream, PinnedHostBuffer } from './cuda-side-stream.js';
import { packDescriptors } from './descriptors.js';
import { DeviceMemoryPool } from './device-memory-pool.js';
import { type ArenaLease, RecordingArena, type RecordingPool, requireArena } from './recording-arena.js';
import type { HostBuffer, SideStream } from './side-stream.js';

interface CudaOp {
  readonly index: number;
  readonly usesWorkspace: boolean;
}

/** Runs ops on a GPU. Calls return before the work is done; one stream orders it. */
export class CudaBackend implements Backend {
  readonly device: DeviceName;
  readonly pool: DeviceMemoryPool;
  /** Handle of the stream that ops are enqueued on. */
  readonly stream: number;
  readonly #binding: NativeBinding;
  readonly #index: number;
  readonly #ops = new Map<string, CudaOp>();
  #arena: RecordingArena | undefined;
  /** The side stream that ops go to at the moment. */
  #diverted: number | undefined;

  /** @throws {DeviceNotAvailableError} no addon, no driver, or no such device */
  constructor(device: DeviceName) {
    this.device = device;
    this.#index = deviceIndex(device);
    this.#binding = requireDevice(device, this.#index);
    const binding = this.#binding;
    const index = this.#index;
    for (const [position, op] of binding.ops().entries()) {
      if (op.backend === 'cuda') this.#ops.set(op.name, { index: position, usesWorkspace: op.usesWorkspace });
    }
    this.stream = binding.createStream(index);
    this.pool = new DeviceMemoryPool(device, {
      allocate: (bytes) => binding.allocate(index, bytes),
      free: (address) => binding.free(index, address),
      freeBytes: () => binding.memoryInfo(index).freeBytes,
    });
  }

  get isRecording(): boolean {
    return this.#arena !== undefined;
  }

  allocate(byteLength: number): Allocation {
    if (this.#diverted !== undefined) throw memoryOnSideStream(byteLength);
    return this.pool.allocate(byteLength);
  }

  fill(tensor: Tensor, byteValue: number): void {
    this.#binding.fill(this.#index, addressOf(tensor), byteValue, tensor.byteLength, this.stream);
  }

  upload(tensor: Tensor, source: Uint8Array): void {
    if (this.isRecording) throw new CaptureViolationError('copying from the host', this.device);
    this.#binding.copyToDevice(this.#index, addressOf(tensor), source, this.stream);
  }

  async download(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>> {
    if (this.isRecording) throw new CaptureViolationError('reading a tensor', this.device);
    const bytes = new Uint8Array(tensor.byteLength);
    // The reference taken here keeps the memory from being handed out again before the copy has run.
    using source = tensor.clone();
    if (bytes.byteLength > 0) {
      await this.#binding.copyToHost(this.#index, addressOf(source), bytes.buffer, 0, bytes.byteLength, this.stream);
    }
    return bytes;
  }

  run(call: PreparedCall): void {
    const { name, kernel } = call.declaration;
    const op = this.#ops.get(kernel);
    if (op === undefined) {
      throw new UnsupportedOpError(
        `${name}: kernel is missing: expected ${kernel} for CUDA in this build of the addon, got none. ` +
          "Build the addon with it, or run the op on device 'cpu'.",
        { op: name, kernel },
      );
    }
    const descriptors = packDescriptors(call.tensors, (tensor) => tensor.storage.address);
    const count = call.tensors.length;
    const bytes = op.usesWorkspace ? this.#binding.opWorkspace(op.index, count, descriptors, call.packedAttributes) : 0;
    const workspace = bytes > 0 ? this.allocate(bytes) : undefined;
    try {
      this.#binding.runOp(
        op.index,
        this.#index,
        this.#diverted ?? this.stream,
        count,
        descriptors,
        call.packedAttributes,
        workspace?.address ?? 0,
        bytes,
      );
    } finally {
      // Given back at once: whoever gets it next is later in the same stream.
      workspace?.release();
    }
  }

  synchronize(): Promise<void> {
    if (this.isRecording) throw new CaptureViolationError('waiting for the device', this.device);
    return this.#binding.synchronizeStream(this.#index, this.stream);
  }

  openSideStream(): SideStream {
    return new CudaSideStream(this, this.#binding, this.#index);
  }

  allocateHost(byteLength: number): HostBuffer {
    return new PinnedHostBuffer(this.#binding, byteLength);
  }

  /** Enqueues the ops that `work` calls on another stream. For side streams. */
  divert(stream: number, work: () => void): void {
    const before = this.#diverted;
    this.#diverted = stream;
    try {
      work();
    } finally {
      this.#diverted = before;
    }
  }

  openRecordingPool(): RecordingArena {
    return new RecordingArena(this.device, this.pool);
  }

  beginRecording(pool?: RecordingPool): void {
    if (this.isRecording) throw new CaptureViolationError('starting another capture', this.device);
    const arena = pool === undefined ? this.openRecordingPool() : requireArena(pool, this.device);
    this.#binding.beginCapture(this.#index, this.stream);
    this.pool.openArena(arena);
    this.#arena = arena;
  }

  keepApart<Result>(work: () => Result): Result {
    return this.#arena === undefined ? work() : this.#arena.apart(work);
  }

  endRecording(): Recording {
    const lease = this.#closeArena();
    let graph = 0;
    try {
      graph = this.#binding.endCapture(this.#index, this.stream);
      const nodeCount = this.#binding.graphNodeCount(graph);
      const freeBefore = this.#binding.memoryInfo(this.#index).freeBytes;
      const executable = this.#binding.instantiateGraph(this.#index, graph);
      const taken = freeBefore - this.#binding.memoryInfo(this.#index).freeBytes;
      const driverBytes = Math.min(Math.max(0, taken), nodeCount * mostBytesPerNode);
      const currentStream = () => this.#diverted ?? this.stream;
      const facts = { index: this.#index, nodeCount, driverBytes };
      return new CudaRecording(this.#binding, facts, executable, currentStream, lease);
    } catch (error) {
      lease?.[Symbol.dispose]();
      throw error;
    } finally {
      if (graph !== 0) this.#binding.destroyGraph(graph);
    }
  }

  abortRecording(): void {
    if (!this.isRecording) return;
    const lease = this.#closeArena();
    this.#binding.abortCapture(this.#index, this.stream);
    lease?.[Symbol.dispose]();
  }

  #closeArena(): ArenaLease | undefined {
    const arena = this.#arena;
    this.#arena = undefined;
    this.pool.closeArena();
    return arena?.end();
  }
}

// Other processes take and give memory meanwhile: what the driver's count says beyond this is not the graph's.
const mostBytesPerNode = 128 * 1024;

class CudaRecording implements Recording {
  readonly nodeCount: number;
  readonly driverBytes: number;
  readonly privateBytes: number;
  readonly #binding: NativeBinding;
  readonly #index: number;
  readonly #currentStream: () => number;
  readonly #lease: ArenaLease | undefined;
  #executable: number;

  constructor(
    binding: NativeBinding,
    facts: { readonly index: number; readonly nodeCount: number; readonly driverBytes: number },
    executable: number,
    currentStream: () => number,
    lease: ArenaLease | undefined,
  ) {
    this.#binding = binding;
    this.#index = facts.index;
    this.#executable = executable;
    this.#currentStream = currentStream;
    this.#lease = lease;
    this.nodeCount = facts.nodeCount;
    this.driverBytes = facts.driverBytes;
    this.privateBytes = lease?.bytes ?? 0;
  }

  replay(): void {
    this.#binding.launchGraph(this.#index, this.#executable, this.#currentStream());
  }

  [Symbol.dispose](): void {
    if (this.#executable === 0) return;
    this.#binding.destroyGraphExecutable(this.#executable);
    this.#executable = 0;
    this.#lease?.[Symbol.dispose]();
  }
}

function addressOf(tensor: Tensor): number {
  return tensor.storage.address + (tensor.offset * tensor.byteLength) / Math.max(1, tensor.size);
}

// The pool hands memory out in the order of the ops: a block may still be in use by an op that a side stream overtakes.
function memoryOnSideStream(bytes: number): InvalidArgumentError {
  return new InvalidArgumentError(
    `SideStream.run: work takes device memory: expected ops with given outputs and no scratch memory, got one that ` +
      `needs ${bytes} bytes. Make the outputs before, and pass them as out.`,
    { bytes },
  );
}

function requireDevice(device: DeviceName, index: number): NativeBinding {
  const { binding, reason } = loadNative();
  if (binding === null)
    throw new DeviceNotAvailableError(device, `the native addon could not be loaded: ${reason ?? 'unknown reason'}.`);
  const status = binding.cudaStatus();
  if (!status.compiled) throw new DeviceNotAvailableError(device, 'the native addon was built without CUDA.');
  if (status.deviceCount === 0) {
    throw new DeviceNotAvailableError(
      device,
      `the CUDA runtime found no usable GPU (${status.errorName}: ${status.errorMessage}).`,
    );
  }
  if (index >= status.deviceCount) {
    throw new DeviceNotAvailableError(
      device,
      `this machine has ${status.deviceCount} CUDA device(s), the highest is cuda:${status.deviceCount - 1}.`,
    );
  }
  return binding;
}
