// A projection with full-precision or int8 weights behind one interface.

import { linearInt8, normLinearInt8 } from '@limen/quant';
import { linear, normLinear, siluMul, type Tensor } from '@limen/tensor';

import type { RmsNorm } from './normalization.js';

/**
 * Rows up to which a GPU folds the norm before a projection and the gate after it into the projection's kernel. With more
 * than eight, 16-bit weights pass faster through a product that does nothing else; there is none for int8.
 */
const mostFusedRows = { float: 8, int8: 32 };

// Nothing writes a model's weights while it runs, so a GPU may read them before earlier ops have ended.
const constantWeight = true;

/** What may be fused into a projection. */
export interface LinearOptions {
  readonly activation?: 'none' | 'gelu' | 'silu';
  /** Added to the result; `[..., N]`. */
  readonly residual?: Tensor;
}

/** `y = activation(x · Wᵀ + bias) + residual`, whatever the weights look like. */
export interface LinearLayer extends Disposable {
  /** `[..., K]` → `[..., N]`; the caller disposes the result. */
  forward(x: Tensor, options?: LinearOptions): Tensor;
  /** `[..., K]` → `[..., N]`: the projection of the normed rows; gated: `[..., N/2]`, `silu(gate) · up` of its halves. */
  forwardNormed(x: Tensor, norm: RmsNorm, options?: { readonly gated?: boolean }): Tensor;
}

function isFused(x: Tensor, weights: keyof typeof mostFusedRows): boolean {
  return x.device !== 'cpu' && x.size <= mostFusedRows[weights] * x.extent(-1);
}

/** The same in steps, for many rows or a CPU. */
function forwardInSteps(layer: LinearLayer, x: Tensor, norm: RmsNorm, gated: boolean): Tensor {
  using normed = norm.forward(x);
  if (!gated) return layer.forward(normed);
  using projected = layer.forward(normed);
  return siluMul({ x: projected });
}

/** Weights in the type of the activations. */
export class Linear implements LinearLayer {
  readonly #weight: Tensor;
  readonly #bias: Tensor | undefined;

  /** @param weight - `[N, K]`; @param bias - `[N]`; both belong to the layer from now on */
  constructor(weight: Tensor, bias?: Tensor) {
    this.#weight = weight;
    this.#bias = bias;
  }

  forward(x: Tensor, { activation = 'none', residual }: LinearOptions = {}): Tensor {
    return linear({ x, weight: this.#weight, bias: this.#bias, residual }, { activation, constantWeight });
  }

  forwardNormed(x: Tensor, norm: RmsNorm, { gated = false } = {}): Tensor {
    if (!isFused(x, 'float')) return forwardInSteps(this, x, norm, gated);
    const { weight: normWeight, epsilon } = norm;
    return normLinear({ x, normWeight, weight: this.#weight, bias: this.#bias }, { epsilon, gated, constantWeight });
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#bias?.dispose();
  }
}

/** Weights as int8 with one scale per output channel. */
export class Int8Linear implements LinearLayer {
  readonly #weight: Tensor;
  readonly #scales: Tensor;
  readonly #bias: Tensor | undefined;

  /** @param weight - `[N, K]` i8; @param scales - `[N]` f32; @param bias - `[N]` */
  constructor(weight: Tensor, scales: Tensor, bias?: Tensor) {
    this.#weight = weight;
    this.#scales = scales;
    this.#bias = bias;
  }

  forward(x: Tensor, { activation = 'none', residual }: LinearOptions = {}): Tensor {
    const inputs = { x, weight: this.#weight, scales: this.#scales, bias: this.#bias, residual };
    return linearInt8(inputs, { activation, constantWeight });
  }

  forwardNormed(x: Tensor, norm: RmsNorm, { gated = false } = {}): Tensor {
    if (!isFused(x, 'int8')) return forwardInSteps(this, x, norm, gated);
    const { weight: normWeight, epsilon } = norm;
    const inputs = { x, normWeight, weight: this.#weight, scales: this.#scales, bias: this.#bias };
    return normLinearInt8(inputs, { epsilon, gated, constantWeight });
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#scales.dispose();
    this.#bias?.dispose();
  }
}
