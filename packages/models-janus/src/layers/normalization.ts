// Norms with their weights.

import { groupNorm, layerNorm, rmsNorm, type Tensor } from '@limen/tensor';

/** Root-mean-square norm over the last axis. */
export class RmsNorm implements Disposable {
  /** `[C]`; stays the layer's. */
  readonly weight: Tensor;
  readonly epsilon: number;

  /** @param weight - `[C]`, the layer's from now on */
  constructor(weight: Tensor, epsilon: number) {
    this.weight = weight;
    this.epsilon = epsilon;
  }

  forward(x: Tensor): Tensor {
    return rmsNorm({ x, weight: this.weight }, { eps: this.epsilon });
  }

  [Symbol.dispose](): void {
    this.weight.dispose();
  }
}

/** Mean and variance norm over the last axis. */
export class LayerNorm implements Disposable {
  readonly #weight: Tensor;
  readonly #bias: Tensor;
  readonly #eps: number;

  /** @param weight - `[C]`; @param bias - `[C]`; both the layer's from now on */
  constructor(weight: Tensor, bias: Tensor, eps: number) {
    this.#weight = weight;
    this.#bias = bias;
    this.#eps = eps;
  }

  forward(x: Tensor): Tensor {
    return layerNorm({ x, weight: this.#weight, bias: this.#bias }, { eps: this.#eps });
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#bias.dispose();
  }
}

/** Norm over groups of channels and all of space, channels last, with an optional swish behind it. */
export class GroupNorm implements Disposable {
  /** `[C]`; stays the layer's, as `bias` does. */
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly groups = 32;
  readonly epsilon = 1e-6;

  /** @param weight - `[C]`; @param bias - `[C]`; both the layer's from now on */
  constructor(weight: Tensor, bias: Tensor) {
    this.weight = weight;
    this.bias = bias;
  }

  /** @param x - `[B, H, W, C]` with C a multiple of 32 */
  forward(x: Tensor, activation: 'none' | 'silu'): Tensor {
    const { weight, bias, groups, epsilon: eps } = this;
    return groupNorm({ x, weight, bias }, { groups, eps, activation });
  }

  [Symbol.dispose](): void {
    this.weight.dispose();
    this.bias.dispose();
  }
}
