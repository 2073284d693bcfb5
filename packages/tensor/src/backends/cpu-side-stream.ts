// A side stream of the CPU: there is one order only, so everything runs at the call.

import { DisposedError } from '@limen/cuda-kernels';

import type { DeviceName } from '../device.js';
import type { Tensor } from '../tensor.js';
import type { Backend } from './backend.js';
import { requireNoCapture, requireSameBytes } from './side-stream-checks.js';
import type { HostBuffer, SideStream } from './side-stream.js';

/** Runs at once. */
export class CpuSideStream implements SideStream {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get device(): DeviceName {
    return this.#backend.device;
  }

  followOps(): void {
    this.#requireNoCapture();
  }

  holdOps(): void {
    this.#requireNoCapture();
  }

  run(work: () => void): void {
    this.#requireNoCapture();
    work();
  }

  upload(tensor: Tensor, source: Uint8Array<ArrayBuffer>): void {
    this.#requireNoCapture();
    requireSameBytes('SideStream.upload', tensor, source);
    bytesOfTensor(tensor).set(source);
  }

  download(tensor: Tensor, target: Uint8Array<ArrayBuffer>): void {
    this.#requireNoCapture();
    requireSameBytes('SideStream.download', tensor, target);
    target.set(bytesOfTensor(tensor));
  }

  reached(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.dispose](): void {}

  #requireNoCapture(): void {
    requireNoCapture(this.#backend.isRecording, this.device);
  }
}

/** Ordinary memory. */
export class CpuHostBuffer implements HostBuffer {
  readonly pinned = false;
  readonly byteLength: number;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  constructor(byteLength: number) {
    this.byteLength = byteLength;
    this.#bytes = new Uint8Array(byteLength);
  }

  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes === undefined) throw new DisposedError(`host buffer of ${this.byteLength} bytes`);
    return this.#bytes;
  }

  [Symbol.dispose](): void {
    this.#bytes = undefined;
  }
}

function bytesOfTensor(tensor: Tensor): Uint8Array {
  const start = (tensor.offset * tensor.byteLength) / Math.max(1, tensor.size);
  return tensor.storage.bytes.subarray(start, start + tensor.byteLength);
}
