// A stream: work that runs on a device in the order it was enqueued.

import { requireDevice } from './device.js';
import { NativeHandle } from './native-handle.js';
import type { NativeBinding } from './native-types.js';

/** An order of work on one device. Different streams run beside each other; an `Event` orders them. */
export class Stream extends NativeHandle {
  readonly device: number;
  readonly #binding: NativeBinding;

  private constructor(binding: NativeBinding, device: number) {
    super(`stream on cuda:${device}`, binding.createStream(device), (stream) => binding.destroyStream(device, stream));
    this.#binding = binding;
    this.device = device;
  }

  /** @throws {DeviceNotAvailableError} the device cannot be used */
  static create(device = 0): Stream {
    return new Stream(requireDevice(device), device);
  }

  /** Resolves when everything enqueued before this call has run. */
  synchronize(): Promise<void> {
    return this.keepWhile(this.#binding.synchronizeStream(this.device, this.handle));
  }
}
