// A captured step: replay it as often as wanted, on the memory it was captured with.

import { DisposedError } from '@limen/cuda-kernels';
import type { Recording } from '@limen/tensor';

/** What a capture gives. Tensors that existed before the capture and that the step uses must outlive it. */
export class CapturedGraph<Result> implements Disposable {
  readonly name: string;
  readonly device: string;
  /** What the step returned: tensors that every replay writes anew. They belong to the graph. */
  readonly result: Result;
  /** Milliseconds that capturing and instantiating took. */
  readonly captureMilliseconds: number;
  readonly #recording: Recording;
  readonly #disposeResult: () => void;
  #replays = 0;
  #disposed = false;

  constructor(
    facts: { name: string; device: string; captureMilliseconds: number },
    recording: Recording,
    result: Result,
    disposeResult: () => void,
  ) {
    this.name = facts.name;
    this.device = facts.device;
    this.captureMilliseconds = facts.captureMilliseconds;
    this.result = result;
    this.#recording = recording;
    this.#disposeResult = disposeResult;
  }

  /** Kernels and copies in the graph (ops on a CPU). */
  get nodeCount(): number {
    return this.#recording.nodeCount;
  }

  /** Bytes of device memory that the graph works in; graphs of one pool share some of it. */
  get privateBytes(): number {
    return this.#recording.privateBytes;
  }

  /** Bytes that the driver took for the graph itself, as far as they can be seen; 0 on a CPU. */
  get driverBytes(): number {
    return this.#recording.driverBytes;
  }

  get replays(): number {
    return this.#replays;
  }

  /**
   * Runs the step again. On CUDA returns at once.
   *
   * @throws {DisposedError} the graph was disposed
   */
  replay(): Result {
    if (this.#disposed) throw new DisposedError(`captured graph ${this.name}`, 'replayed');
    this.#recording.replay();
    this.#replays++;
    return this.result;
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#disposeResult();
    this.#recording[Symbol.dispose]();
  }
}
