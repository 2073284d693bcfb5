// Memory with an owner: DeviceBuffer on a GPU, PinnedBuffer on the host. Each call here asks the driver; the pool of
// @limen/tensor is for code that allocates often.

import { requireDevice } from './device.js';
import { DisposedError } from './errors/disposed-error.js';
import { NativeError } from './errors/native-error.js';
import { requireNative } from './load-native.js';
import { NativeHandle } from './native-handle.js';
import type { NativeBinding } from './native-types.js';
import type { Stream } from './stream.js';

/** Bytes on a GPU. The owner disposes it, after the work that uses it. */
export class DeviceBuffer extends NativeHandle {
  /** Index of the device, as in `cuda:0`. */
  readonly device: number;
  readonly byteLength: number;
  readonly #binding: NativeBinding;

  private constructor(binding: NativeBinding, device: number, byteLength: number) {
    super(`device buffer of ${byteLength} bytes on cuda:${device}`, binding.allocate(device, byteLength), (address) =>
      binding.free(device, address),
    );
    this.#binding = binding;
    this.device = device;
    this.byteLength = byteLength;
  }

  /**
   * Takes `byteLength` bytes from the driver, aligned to 256 bytes; their content is undefined.
   *
   * @throws {DeviceNotAvailableError} the device cannot be used
   * @throws {CudaError} `CUDA_MEMORY_ALLOCATION`: the device is full
   */
  static allocate(device: number, byteLength: number): DeviceBuffer {
    return new DeviceBuffer(requireDevice(device), device, byteLength);
  }

  /** Address of the first byte; zero for an empty buffer. */
  get address(): number {
    return this.handle;
  }

  /** Enqueues setting every byte to `value` (0 to 255). */
  fill(value: number, stream: Stream): void {
    this.#binding.fill(this.device, this.address, value, this.byteLength, stream.handle);
  }

  /** Enqueues a copy from the host to byte `offset`. */
  write(source: ArrayBufferView, stream: Stream, offset = 0): void {
    this.#checkRange('write', offset, source.byteLength);
    this.#binding.copyToDevice(this.device, this.address + offset, source, stream.handle);
  }

  /** Resolves with `byteLength` bytes from `offset`, as they are when the stream reaches this point. */
  async read(stream: Stream, offset = 0, byteLength = this.byteLength - offset): Promise<Uint8Array<ArrayBuffer>> {
    this.#checkRange('read', offset, byteLength);
    const bytes = new Uint8Array(byteLength);
    await this.keepWhile(
      this.#binding.copyToHost(this.device, this.address + offset, bytes.buffer, 0, byteLength, stream.handle),
    );
    return bytes;
  }

  /** Enqueues a copy of the whole buffer into `target`, which is at least as long. */
  copyTo(target: DeviceBuffer, stream: Stream): void {
    target.#checkRange('copyTo', 0, this.byteLength);
    this.#binding.copyOnDevice(this.device, target.address, this.address, this.byteLength, stream.handle);
  }

  /** Enqueues a copy into pinned memory and returns at once; an event tells when it is there. */
  copyToPinned(target: PinnedBuffer, stream: Stream): void {
    if (target.byteLength < this.byteLength) {
      const text = `copyToPinned: target is too small: expected at least ${this.byteLength} bytes, got ${target.byteLength}.`;
      throw new NativeError('INVALID_ARGUMENT', text);
    }
    this.#binding.copyToPinned(this.device, this.address, target.buffer, 0, this.byteLength, stream.handle);
  }

  #checkRange(operation: string, offset: number, byteLength: number): void {
    if (offset >= 0 && byteLength >= 0 && offset + byteLength <= this.byteLength) return;
    const text = `${operation}: range is outside the buffer: expected at most ${this.byteLength} bytes, got ${byteLength} from offset ${offset}.`;
    throw new NativeError('INVALID_ARGUMENT', text, { offset, byteLength, bufferBytes: this.byteLength });
  }
}

/** Page-locked host memory: copies to and from a GPU run at full speed and beside other work. */
export class PinnedBuffer implements Disposable {
  readonly byteLength: number;
  readonly #binding: NativeBinding;
  #buffer: ArrayBuffer | undefined;

  private constructor(binding: NativeBinding, byteLength: number) {
    this.#binding = binding;
    this.#buffer = binding.allocatePinned(byteLength);
    this.byteLength = byteLength;
  }

  /**
   * Locks `byteLength` bytes.
   *
   * @throws {NativeLoadError} there is no addon
   * @throws {NativeError} `CUDA_NOT_COMPILED`: the addon has no CUDA half
   * @throws {CudaError} no driver, or the system has no more pages to lock
   */
  static allocate(byteLength: number): PinnedBuffer {
    return new PinnedBuffer(requireNative(), byteLength);
  }

  /** The memory. It is detached (length 0) by `dispose`. */
  get buffer(): ArrayBuffer {
    if (this.#buffer === undefined) throw new DisposedError(`pinned buffer of ${this.byteLength} bytes`);
    return this.#buffer;
  }

  get isDisposed(): boolean {
    return this.#buffer === undefined;
  }

  /** Unlocks and frees the memory. Copies that use it must be done. */
  dispose(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    if (buffer !== undefined) this.#binding.freePinned(buffer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
