// Named tensors at fixed addresses. A graph reads them; new values are copied in, the tensors are never replaced.

import { type DType, InvalidArgumentError, type Tensor, write, zeros } from '@limen/tensor';

/** Shape and type of one input. */
export interface StaticInput {
  readonly shape: readonly number[];
  /** Default `'f32'`. */
  readonly dtype?: DType;
}

/** Inputs of a captured step. */
export class StaticInputs<Name extends string> implements Disposable {
  readonly #tensors = new Map<string, Tensor>();

  /** Makes every input, filled with zeros. */
  constructor(device: string, inputs: Readonly<Record<Name, StaticInput>>) {
    for (const [name, { shape, dtype = 'f32' }] of Object.entries<StaticInput>(inputs)) {
      this.#tensors.set(name, zeros(shape, { dtype, device }));
    }
  }

  /** The tensor behind a name; it belongs to this object. */
  tensor(name: Name): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) return tensor;
    const known = [...this.#tensors.keys()].join(', ');
    throw new InvalidArgumentError(
      `static inputs: input is unknown: expected one of ${known}, got ${name}. Declare it when they are made.`,
    );
  }

  /**
   * Copies values into an input, in order with replays before and after.
   *
   * @throws {ShapeMismatchError} the count differs from the input's size
   */
  set(name: Name, values: ArrayLike<number>): void {
    write(this.tensor(name), values);
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
  }
}
