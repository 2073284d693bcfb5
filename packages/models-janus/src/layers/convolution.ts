// A square convolution with its weights, channels last.

import { conv2d, type Tensor } from '@limen/tensor';

/** Window step and border of a convolution, in pixels. */
export interface ConvolutionGeometry {
  readonly stride?: number;
  readonly padding?: number;
}

/** `[B, H, W, C]` → `[B, H', W', O]`. */
export class Convolution implements Disposable {
  readonly #weight: Tensor;
  readonly #bias: Tensor | undefined;
  readonly #geometry: ConvolutionGeometry;

  /** @param weight - `[O, KH, KW, C]`; @param bias - `[O]`; both the layer's from now on */
  constructor(weight: Tensor, bias: Tensor | undefined, geometry: ConvolutionGeometry = {}) {
    this.#weight = weight;
    this.#bias = bias;
    this.#geometry = geometry;
  }

  /** @param residual - `[B, H', W', O]`, added to the result */
  forward(x: Tensor, residual?: Tensor): Tensor {
    return conv2d({ x, weight: this.#weight, bias: this.#bias, residual }, this.#geometry);
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#bias?.dispose();
  }
}
