// The CPU: a SIMD kernel of the addon where there is one, else the op's reference. Everything runs at once, in order.

import { loadNative, type NativeBinding } from '@limen/cuda-kernels';

import type { DeviceName } from '../device.js';
import { OutOfMemoryError } from '../errors/out-of-memory-error.js';
import { CaptureViolationError } from '../errors/capture-violation-error.js';
import type { Allocation } from '../storage.js';
import type { Tensor } from '../tensor.js';
import type { Backend, PreparedCall, Recording } from './backend.js';
import { CpuHostBuffer, CpuSideStream } from './cpu-side-stream.js';
import { packDescriptors } from './descriptors.js';
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
  #recordedBytes = 0;

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
    if (this.#recorded !== undefined) this.#recordedBytes += byteLength;
    try {
      return { bytes: new Uint8Array(byteLength), address: 0, byteLength, release: () => undefined };
    } catch {
      const facts = {
        needBytes: byteLength,
        freeBytes: 0,
        inUseBytes: process.memoryUsage().arrayBuffers,
        budgetBytes: Infinity,
      };
      throw new OutOfMemoryError('cpu', facts);
    }
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

  beginRecording(): void {
    if (this.#recorded !== undefined) throw new CaptureViolationError('starting another capture', 'cpu');
    this.#recorded = [];
    this.#recordedBytes = 0;
  }

  endRecording(): Recording {
    const steps = this.#recorded ?? [];
    this.#recorded = undefined;
    return new CpuRecording(steps, this.#recordedBytes);
  }

  abortRecording(): void {
    for (const step of this.#recorded ?? []) step.release();
    this.#recorded = undefined;
  }

  /** `bind` resolves memory now and returns what runs, at once or at every replay. */
  #runOrRecord(tensors: readonly (Tensor | null)[], bind: (tensors: readonly (Tensor | null)[]) => () => void): void {
    if (this.#recorded === undefined) {
      bind(tensors)();
      return;
    }
    // A recording outlives the tensors of the step, as device addresses in a CUDA graph do: it keeps their memory.
    const kept = tensors.map((tensor) => tensor?.clone() ?? null);
    this.#recorded.push({ run: bind(kept), release: () => kept.forEach((tensor) => tensor?.dispose()) });
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
  readonly privateBytes: number;
  #steps: readonly RecordedStep[];

  constructor(steps: readonly RecordedStep[], privateBytes: number) {
    this.#steps = steps;
    this.privateBytes = privateBytes;
  }

  get nodeCount(): number {
    return this.#steps.length;
  }

  replay(): void {
    for (const step of this.#steps) step.run();
  }

  [Symbol.dispose](): void {
    for (const step of this.#steps) step.release();
    this.#steps = [];
  }
}
