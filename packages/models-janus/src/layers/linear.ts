// A projection with full-precision or int8 weights behind one interface.

import { linearInt8 } from '@limen/quant';
import { linear, type Tensor } from '@limen/tensor';

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
    return linear({ x, weight: this.#weight, bias: this.#bias, residual }, { activation });
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
    return linearInt8({ x, weight: this.#weight, scales: this.#scales, bias: this.#bias, residual }, { activation });
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#scales.dispose();
    this.#bias?.dispose();
  }
}
