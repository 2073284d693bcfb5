// An event: a mark in a stream that others wait for, or measure between.

import { requireDevice } from './device.js';
import { NativeHandle } from './native-handle.js';
import type { NativeBinding } from './native-types.js';
import type { Stream } from './stream.js';

/** A mark in a stream. It may be recorded again; the last record counts. */
export class Event extends NativeHandle {
  readonly device: number;
  readonly #binding: NativeBinding;

  private constructor(binding: NativeBinding, device: number, timing: boolean) {
    super(`event on cuda:${device}`, binding.createEvent(device, timing), (event) =>
      binding.destroyEvent(device, event),
    );
    this.#binding = binding;
    this.device = device;
  }

  /**
   * @param options.timing - whether the event can be measured; without it, waiting is cheaper. Default: false
   * @throws {DeviceNotAvailableError} the device cannot be used
   */
  static create(device = 0, options: { readonly timing?: boolean } = {}): Event {
    return new Event(requireDevice(device), device, options.timing ?? false);
  }

  /** Marks the work enqueued on `stream` so far. */
  record(stream: Pick<Stream, 'handle'>): void {
    this.#binding.recordEvent(this.device, this.handle, stream.handle);
  }

  /** Lets what is enqueued on `stream` after this call wait for the marked work. The host does not wait. */
  holdBack(stream: Stream): void {
    this.#binding.waitEvent(stream.device, stream.handle, this.handle);
  }

  /** Whether the marked work has run; true for an event that was never recorded. */
  get isReached(): boolean {
    return this.#binding.eventReached(this.device, this.handle);
  }

  /** Resolves when the marked work has run. */
  synchronize(): Promise<void> {
    return this.keepWhile(this.#binding.synchronizeEvent(this.device, this.handle));
  }

  /** Milliseconds on the device from `start` to this event. Both were created with `timing` and have been reached. */
  millisecondsSince(start: Event): number {
    return this.#binding.elapsedMilliseconds(this.device, start.handle, this.handle);
  }
}
