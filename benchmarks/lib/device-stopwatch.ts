// Time as a device sees it: marks in a stream, before and behind what is measured.

import { Event, type Stream } from '@limen/cuda-kernels';
import { streamHandle } from '@limen/tensor';

/** Two marks in a stream of a GPU. What the host takes to notice that the device is done is not in the time between. */
export class DeviceStopwatch implements Disposable {
  readonly #stream: Pick<Stream, 'handle'>;
  readonly #before: Event;
  readonly #behind: Event;

  constructor(device: number, stream: Pick<Stream, 'handle'>) {
    this.#stream = stream;
    this.#before = Event.create(device, { timing: true });
    this.#behind = Event.create(device, { timing: true });
  }

  /** For the stream that ops of a device are enqueued on. Undefined on a CPU, which has none. */
  static of(device: string): DeviceStopwatch | undefined {
    const handle = streamHandle(device);
    return handle === undefined ? undefined : new DeviceStopwatch(Number(device.split(':')[1] ?? 0), { handle });
  }

  start(): void {
    this.#before.record(this.#stream);
  }

  stop(): void {
    this.#behind.record(this.#stream);
  }

  /** From start to stop; the device must have come past both. */
  get milliseconds(): number {
    return this.#behind.millisecondsSince(this.#before);
  }

  [Symbol.dispose](): void {
    this.#before.dispose();
    this.#behind.dispose();
  }
}
