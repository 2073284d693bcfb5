// Memory for one kind of weight of all layers, one behind the other: a kernel that runs through the layers finds them
// without a list of addresses.

import { type DType, empty, type Tensor } from '@limen/tensor';

/** Hands out a place for each layer's part; all parts have one shape and type. */
export class WeightStack implements Disposable {
  readonly #layers: number;
  #memory: Tensor | undefined;

  /** @param layers - parts there will be */
  constructor(layers: number) {
    this.#layers = layers;
  }

  /** `[L, ...]`, once a part has been placed; it stays the stack's. */
  get memory(): Tensor | undefined {
    return this.#memory;
  }

  /**
   * Where a layer's part is to be written.
   *
   * @param layer - index, from 0
   * @param shape - of one part; the memory of all parts is taken with the first
   * @returns a view, the caller's to dispose
   * @throws {OutOfMemoryError} the device has no room for all parts
   */
  place(layer: number, shape: readonly number[], dtype: DType, device: string): Tensor {
    this.#memory ??= empty([this.#layers, ...shape], { dtype, device });
    using part = this.#memory.slice(0, layer, layer + 1);
    return part.squeeze(0);
  }

  [Symbol.dispose](): void {
    this.#memory?.dispose();
    this.#memory = undefined;
  }
}

/** A projection of every layer: its weights and, where they are quantized, their scales. */
export class ProjectionStack implements Disposable {
  readonly weight: WeightStack;
  readonly scales: WeightStack;

  constructor(layers: number) {
    this.weight = new WeightStack(layers);
    this.scales = new WeightStack(layers);
  }

  [Symbol.dispose](): void {
    this.weight[Symbol.dispose]();
    this.scales[Symbol.dispose]();
  }
}

/** The part of a stack that belongs to one layer. */
export interface StackPlace<Stack> {
  readonly stack: Stack;
  readonly layer: number;
}
