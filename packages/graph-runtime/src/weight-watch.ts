// Notices that a tensor which graphs were captured with has been replaced. New values in the same memory are no change.

import type { Tensor } from '@limen/tensor';

/** Looks at the same tensors again and again. */
export class WeightWatch {
  readonly #weights: (() => Iterable<Tensor>) | undefined;
  #seen: readonly unknown[] | undefined;

  constructor(weights: (() => Iterable<Tensor>) | undefined) {
    this.#weights = weights;
  }

  /**
   * Whether memory, place, type or shape of a tensor differ from the last look. The first look finds no change.
   *
   * @throws {DisposedError} a tensor was disposed
   */
  changed(): boolean {
    if (this.#weights === undefined) return false;
    const facts = Array.from(this.#weights(), factsOf).flat();
    const before = this.#seen;
    this.#seen = facts;
    return before !== undefined && (facts.length !== before.length || facts.some((fact, at) => fact !== before[at]));
  }
}

function factsOf(tensor: Tensor): unknown[] {
  const { storage, offset, dtype, shape, strides } = tensor;
  return [storage, offset, dtype, shape.length, ...shape, ...strides];
}
