// The CPU: a SIMD kernel of the addon where there is one, else the op's reference. Everything runs at once, in order.

import { loadNative, type NativeBinding } from '@limen/cuda-kernels';

import type { DeviceName } from '../device.js';
import { OutOfMemoryError } from '../errors/out-of-memory-error.js';
import { CaptureViolationError } from '../errors/capture-violation-error.js';
import { type Allocation, Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import type { Backend, PreparedCall, Recording } from './backend.js';
import { CpuHostBuffer, CpuSideStream } from './cpu-side-stream.js';
import { packDescriptors } from './descriptors.js';
import {
  type ArenaBlock,
  type ArenaLease,
  type BlockSource,
  RecordingArena,
  type RecordingPool,
  requireArena,
} from './recording-arena.js';
import { runReference } from './run-reference.js';
import type { HostBuffer, SideStream } from './side-stream.js';

interface CpuOp {
  readonly index: number;
  readonly usesWorkspace: boolean;
}

/** Runs ops on the host. */
export class CpuBackend implements Backend {
  readonly device: DeviceName = 'cpu';
  readonly #binding: NativeBinding | null;
  readonly #ops = new Map<string, CpuOp>();
  readonly #addresses = new WeakMap<ArrayBufferLike, number>();
  #recorded: RecordedStep[] | undefined;
  #arena: RecordingArena | undefined;
  /** Memory that the recording under way took. */
  #recordedMemory = new WeakSet<Uint8Array>();

  constructor(binding: NativeBinding | null = loadNative().binding) {
    this.#binding = binding;
    for (const [index, op] of (binding?.ops() ?? []).entries()) {
      if (op.backend === 'cpu') this.#ops.set(op.name, { index, usesWorkspace: op.usesWorkspace });
    }
  }

  get isRecording(): boolean {
    return this.#recorded !== undefined;
  }

  /** Names of the kernels that run natively on this machine; the others run their reference. */
  get nativeKernels(): readonly string[] {
    return [...this.#ops.keys()].sort();
  }

  allocate(byteLength: number): Allocation {
    const allocation = this.#arena?.allocate(byteLength);
    if (allocation === undefined) return { ...hostBlock(byteLength), release: () => undefined };
    if (allocation.bytes !== undefined) this.#recordedMemory.add(allocation.bytes);
    return allocation;
  }

  fill(tensor: Tensor, byteValue: number): void {
    this.#runOrRecord([tensor], ([target]) => {
      const { offset, size, byteLength, storage } = target ?? tensor;
      const start = (offset * byteLength) / Math.max(1, size);
      const bytes = storage.bytes.subarray(start, start + byteLength);
      return () => bytes.fill(byteValue);
    });
  }

  upload(tensor: Tensor, source: Uint8Array): void {
    if (this.#recorded !== undefined) throw new CaptureViolationError('copying from the host', 'cpu');
    const start = (tensor.offset * tensor.byteLength) / Math.max(1, tensor.size);
    tensor.storage.bytes.set(source, start);
  }

  download(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#recorded !== undefined) throw new CaptureViolationError('reading a tensor', 'cpu');
    const start = (tensor.offset * tensor.byteLength) / Math.max(1, tensor.size);
    return Promise.resolve(tensor.storage.bytes.slice(start, start + tensor.byteLength));
  }

  run(call: PreparedCall): void {
    this.#runOrRecord(call.tensors, (tensors) => this.#bind({ ...call, tensors }));
  }

  synchronize(): Promise<void> {
    return Promise.resolve();
  }

  openSideStream(): SideStream {
    return new CpuSideStream(this);
  }

  allocateHost(byteLength: number): HostBuffer {
    return new CpuHostBuffer(byteLength);
  }

  openRecordingPool(): RecordingArena {
    return new RecordingArena('cpu', hostBlocks);
  }

  beginRecording(pool?: RecordingPool): void {
    if (this.#recorded !== undefined) throw new CaptureViolationError('starting another capture', 'cpu');
    this.#arena = pool === undefined ? this.openRecordingPool() : requireArena(pool, 'cpu');
    this.#arena.begin();
    this.#recorded = [];
    this.#recordedMemory = new WeakSet();
  }

  keepApart<Result>(work: () => Result): Result {
    return this.#arena === undefined ? work() : this.#arena.apart(work);
  }

  endRecording(): Recording {
    return new CpuRecording(this.#recorded ?? [], this.#closeArena());
  }

  abortRecording(): void {
    for (const step of this.#recorded ?? []) step.release();
    this.#closeArena()?.[Symbol.dispose]();
  }

  #closeArena(): ArenaLease | undefined {
    const arena = this.#arena;
    this.#arena = undefined;
    this.#recorded = undefined;
    return arena?.end();
  }

  /** `bind` resolves memory now and returns what runs, at once or at every replay. */
  #runOrRecord(tensors: readonly (Tensor | null)[], bind: (tensors: readonly (Tensor | null)[]) => () => void): void {
    if (this.#recorded === undefined) {
      bind(tensors)();
      return;
    }
    const kept = tensors.map((tensor) => (tensor === null ? null : this.#keep(tensor)));
    this.#recorded.push({ run: bind(kept), release: () => kept.forEach((tensor) => tensor?.dispose()) });
  }

  /**
   * What a recording holds of a tensor. Memory from before is kept alive, as the step may not do it. Memory of the
   * recording's own is kept by its lease; a block that the step has given back may serve again, as in a CUDA graph.
   */
  #keep(tensor: Tensor): Tensor {
    const { bytes, byteLength } = tensor.storage;
    if (!this.#recordedMemory.has(bytes)) return tensor.clone();
    const storage = new Storage('cpu', { bytes, address: 0, byteLength, release: () => undefined });
    return new Tensor(storage, tensor.dtype, tensor.shape, tensor.strides, tensor.offset);
  }

  #bind(call: PreparedCall): () => void {
    const op = this.#ops.get(call.declaration.kernel);
    const binding = this.#binding;
    if (op === undefined || binding === null) return () => runReference(call);
    const descriptors = packDescriptors(call.tensors, (tensor) => this.#addressOf(tensor, binding));
    const count = call.tensors.length;
    const attributes = call.packedAttributes;
    const bytes = op.usesWorkspace ? binding.opWorkspace(op.index, count, descriptors, attributes) : 0;
    const workspace = bytes > 0 ? new ArrayBuffer(bytes + 256) : undefined;
    const base = workspace === undefined ? 0 : Math.ceil(binding.addressOf(workspace) / 256) * 256;
    return () => {
      binding.runOp(op.index, 0, 0, count, descriptors, attributes, base, bytes);
      void workspace; // keeps the scratch memory alive for as long as the call may run again
    };
  }

  #addressOf(tensor: Tensor, binding: NativeBinding): number {
    const { bytes } = tensor.storage;
    let address = this.#addresses.get(bytes.buffer);
    if (address === undefined) {
      address = binding.addressOf(bytes.buffer as ArrayBuffer);
      this.#addresses.set(bytes.buffer, address);
    }
    return address + bytes.byteOffset;
  }
}

interface RecordedStep {
  run(): void;
  release(): void;
}

class CpuRecording implements Recording {
  readonly driverBytes = 0;
  readonly privateBytes: number;
  readonly nodeCount: number;
  readonly #lease: ArenaLease | undefined;
  #steps: readonly RecordedStep[];

  constructor(steps: readonly RecordedStep[], lease: ArenaLease | undefined) {
    this.#steps = steps;
    this.#lease = lease;
    this.nodeCount = steps.length;
    this.privateBytes = lease?.bytes ?? 0;
  }

  replay(): void {
    for (const step of this.#steps) step.run();
  }

  [Symbol.dispose](): void {
    for (const step of this.#steps) step.release();
    this.#steps = [];
    this.#lease?.[Symbol.dispose]();
  }
}

const hostBlocks: BlockSource = { takeBlock: hostBlock, returnBlock: () => undefined };

function hostBlock(byteLength: number): ArenaBlock & { readonly bytes: Uint8Array } {
  try {
    return { bytes: new Uint8Array(byteLength), address: 0, byteLength };
  } catch {
    throw new OutOfMemoryError('cpu', {
      needBytes: byteLength,
      freeBytes: 0,
      inUseBytes: process.memoryUsage().arrayBuffers,
      budgetBytes: Infinity,
    });
  }
}
