// A second stream of a GPU, ordered with the stream of the ops by events alone: the host never waits here.

import { DisposedError, type NativeBinding } from '@limen/cuda-kernels';

import type { DeviceName } from '../device.js';
import type { Tensor } from '../tensor.js';
import { requireNoCapture, requireSameBytes } from './side-stream-checks.js';
import type { HostBuffer, SideStream } from './side-stream.js';

/** What a side stream asks of the backend whose ops it runs beside; `CudaBackend` fits. */
export interface OpsOnStream {
  readonly device: DeviceName;
  /** Handle of the stream that ops are enqueued on. */
  readonly stream: number;
  readonly isRecording: boolean;
  /** Enqueues the ops that `work` calls on another stream. */
  divert(stream: number, work: () => void): void;
}

/** A stream beside the backend's own. */
export class CudaSideStream implements SideStream {
  readonly #backend: OpsOnStream;
  readonly #binding: NativeBinding;
  readonly #index: number;
  /** Orders this stream with the ops. A stream that was told to wait keeps the mark it saw, so one event serves all. */
  readonly #order: number;
  readonly #idleEvents: number[] = [];
  #stream: number;
  /** The wait for the last mark. Waits run one after another, as each occupies a thread of libuv. */
  #lastWait: Promise<void> = Promise.resolve();

  constructor(backend: OpsOnStream, binding: NativeBinding, index: number) {
    this.#backend = backend;
    this.#binding = binding;
    this.#index = index;
    this.#stream = binding.createStream(index);
    this.#order = binding.createEvent(index, false);
  }

  get device(): DeviceName {
    return this.#backend.device;
  }

  followOps(): void {
    const stream = this.#open();
    this.#binding.recordEvent(this.#index, this.#order, this.#backend.stream);
    this.#binding.waitEvent(this.#index, stream, this.#order);
  }

  holdOps(): void {
    const stream = this.#open();
    this.#binding.recordEvent(this.#index, this.#order, stream);
    this.#binding.waitEvent(this.#index, this.#backend.stream, this.#order);
  }

  run(work: () => void): void {
    this.#backend.divert(this.#open(), work);
  }

  upload(tensor: Tensor, source: Uint8Array<ArrayBuffer>): void {
    const stream = this.#open();
    requireSameBytes('SideStream.upload', tensor, source);
    this.#binding.copyToDevice(this.#index, addressOf(tensor), source, stream);
  }

  download(tensor: Tensor, target: Uint8Array<ArrayBuffer>): void {
    const stream = this.#open();
    requireSameBytes('SideStream.download', tensor, target);
    const { buffer, byteOffset, byteLength } = target;
    this.#binding.copyToPinned(this.#index, addressOf(tensor), buffer, byteOffset, byteLength, stream);
  }

  reached(): Promise<void> {
    const stream = this.#open();
    const event = this.#idleEvents.pop() ?? this.#binding.createEvent(this.#index, false);
    this.#binding.recordEvent(this.#index, event, stream);
    const wait = this.#lastWait
      .then(() => this.#binding.synchronizeEvent(this.#index, event))
      .finally(() => this.#idleEvents.push(event));
    this.#lastWait = wait.catch(() => undefined);
    return wait;
  }

  [Symbol.dispose](): void {
    const stream = this.#stream;
    if (stream === 0) return;
    this.#stream = 0;
    // The driver destroys stream and event when their work has run; the events of waits must outlive the waits.
    this.#binding.destroyStream(this.#index, stream);
    this.#binding.destroyEvent(this.#index, this.#order);
    void this.#lastWait.then(() => {
      for (const event of this.#idleEvents.splice(0)) this.#binding.destroyEvent(this.#index, event);
    });
  }

  /** The stream's handle, when work may be enqueued. */
  #open(): number {
    if (this.#stream === 0) throw new DisposedError(`side stream on ${this.device}`);
    requireNoCapture(this.#backend.isRecording, this.device);
    return this.#stream;
  }
}

/** Page-locked memory. */
export class PinnedHostBuffer implements HostBuffer {
  readonly pinned = true;
  readonly byteLength: number;
  readonly #binding: NativeBinding;
  #buffer: ArrayBuffer | undefined;

  constructor(binding: NativeBinding, byteLength: number) {
    this.#binding = binding;
    this.byteLength = byteLength;
    this.#buffer = binding.allocatePinned(byteLength);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#buffer === undefined) throw new DisposedError(`host buffer of ${this.byteLength} bytes`);
    return new Uint8Array(this.#buffer);
  }

  /** Copies from and to it must have run. */
  [Symbol.dispose](): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    if (buffer !== undefined) this.#binding.freePinned(buffer);
  }
}

function addressOf(tensor: Tensor): number {
  return tensor.storage.address + (tensor.offset * tensor.byteLength) / Math.max(1, tensor.size);
}
