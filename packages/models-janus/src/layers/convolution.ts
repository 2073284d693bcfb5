// A square convolution with its weights, channels last.

import { conv2d, linear, normConv2d, type Tensor, upsampleNearest } from '@limen/tensor';

import type { GroupNorm } from './normalization.js';

/** Window step and border of a convolution, in pixels. */
export interface ConvolutionGeometry {
  readonly stride?: number;
  readonly padding?: number;
}

// Nothing writes a model's weights while it runs, so a GPU may read them before earlier ops have ended.
const constantWeight = true;

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
    const [outputs = 0, height, width, channels = 0] = this.#weight.shape;
    const { stride = 1, padding = 0 } = this.#geometry;
    if (height === 1 && width === 1 && stride === 1 && padding === 0) {
      // A window of one pixel is a projection of every pixel.
      using weight = this.#weight.reshape(outputs, channels);
      return linear({ x, weight, bias: this.#bias, residual }, { constantWeight });
    }
    return conv2d({ x, weight: this.#weight, bias: this.#bias, residual }, this.#geometry);
  }

  /** The convolution of the normed image, in one pass on a GPU; windows move by one pixel. */
  forwardNormed(x: Tensor, norm: GroupNorm, activation: 'none' | 'silu', residual?: Tensor): Tensor {
    if (x.device === 'cpu') {
      using normed = norm.forward(x, activation);
      return this.forward(normed, residual);
    }
    const inputs = {
      x,
      normWeight: norm.weight,
      normBias: norm.bias,
      weight: this.#weight,
      bias: this.#bias,
      residual,
    };
    const { padding = 0 } = this.#geometry;
    return normConv2d(inputs, { groups: norm.groups, epsilon: norm.epsilon, activation, padding, constantWeight });
  }

  /** The convolution of the image at twice its height and width, in one pass on a GPU; windows move by one pixel. */
  forwardDoubled(x: Tensor): Tensor {
    if (x.device === 'cpu') {
      using larger = upsampleNearest({ x }, { scale: 2 });
      return this.forward(larger);
    }
    const { padding = 0 } = this.#geometry;
    return normConv2d({ x, weight: this.#weight, bias: this.#bias }, { groups: 1, padding, scale: 2, constantWeight });
  }

  [Symbol.dispose](): void {
    this.#weight.dispose();
    this.#bias?.dispose();
  }
}
