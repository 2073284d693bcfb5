// Time as a device sees it: marks in its stream, before and behind what is measured.

import { loadNative } from '@limen/cuda-kernels';
import { streamHandle } from '@limen/tensor';

type NativeBinding = NonNullable<ReturnType<typeof loadNative>['binding']>;

/** Two marks in the stream of a GPU. What the host takes to notice that the device is done is not in the time between. */
export class DeviceStopwatch implements Disposable {
  readonly #binding: NativeBinding;
  readonly #device: number;
  readonly #stream: number;
  readonly #marks: readonly [before: number, behind: number];

  private constructor(binding: NativeBinding, device: number, stream: number) {
    this.#binding = binding;
    this.#device = device;
    this.#stream = stream;
    this.#marks = [binding.createEvent(device, true), binding.createEvent(device, true)];
  }

  /** Undefined where there is no stream to mark: on a CPU. */
  static of(device: string): DeviceStopwatch | undefined {
    const stream = streamHandle(device);
    const { binding } = loadNative();
    if (stream === undefined || binding === null) return undefined;
    return new DeviceStopwatch(binding, Number(device.split(':')[1] ?? 0), stream);
  }

  start(): void {
    this.#binding.recordEvent(this.#device, this.#marks[0], this.#stream);
  }

  stop(): void {
    this.#binding.recordEvent(this.#device, this.#marks[1], this.#stream);
  }

  /** From start to stop; the device must have come past both. */
  get milliseconds(): number {
    return this.#binding.elapsedMilliseconds(this.#device, ...this.#marks);
  }

  [Symbol.dispose](): void {
    for (const mark of this.#marks) this.#binding.destroyEvent(this.#device, mark);
  }
}
