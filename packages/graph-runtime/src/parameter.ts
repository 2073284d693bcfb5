// A value that captured functions read from device memory: it changes between replays, the graphs stay.

import { type DType, fromArray, type Tensor, write } from '@limen/tensor';

/** How a parameter is stored. */
export interface ParameterOptions {
  /** Default: `[number of values]`. */
  readonly shape?: readonly number[];
  /** Default `'f32'`. */
  readonly dtype?: DType;
}

/**
 * A tensor at a fixed address whose values the host changes. A graph that reads it sees the new values from the next
 * replay on; what a step takes from JavaScript variables is fixed at the capture instead.
 */
export class Parameter implements Disposable {
  /** What steps read; it belongs to the parameter. */
  readonly tensor: Tensor;
  readonly #beforeWrite: () => void;

  /**
   * @param beforeWrite - called before each write, to order it with replays on another stream; `runtime.parameter` does
   */
  constructor(
    device: string,
    values: ArrayLike<number>,
    { shape = [values.length], dtype = 'f32' }: ParameterOptions = {},
    beforeWrite: () => void = () => undefined,
  ) {
    this.tensor = fromArray(values, shape, { dtype, device });
    this.#beforeWrite = beforeWrite;
  }

  /**
   * Writes new values, after the replays called before and before those called later.
   *
   * @throws {ShapeMismatchError} the count differs
   */
  set(...values: readonly number[]): void {
    this.#beforeWrite();
    write(this.tensor, values);
  }

  [Symbol.dispose](): void {
    this.tensor.dispose();
  }
}
