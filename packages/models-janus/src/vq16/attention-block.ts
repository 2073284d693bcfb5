// Attention of every pixel to every pixel, one head as wide as the channels.

import { attention, type Tensor } from '@limen/tensor';

import type { Convolution } from '../layers/convolution.js';
import type { GroupNorm } from '../layers/normalization.js';
import type { WeightLoader } from '../weights/weight-loader.js';

/** `x + out(attention(q(norm(x)), k(norm(x)), v(norm(x))))`, all projections 1×1 convolutions. */
export class AttentionBlock implements Disposable {
  readonly #norm: GroupNorm;
  readonly #query: Convolution;
  readonly #key: Convolution;
  readonly #value: Convolution;
  readonly #output: Convolution;

  constructor(loader: WeightLoader, prefix: string, channels: number) {
    const projection = (name: string) => loader.convolution(`${prefix}.${name}`, channels, channels, 1);
    this.#norm = loader.groupNorm(`${prefix}.norm`, channels);
    this.#query = projection('q');
    this.#key = projection('k');
    this.#value = projection('v');
    this.#output = projection('proj_out');
  }

  /** `[B, H, W, C]` → `[B, H, W, C]` */
  forward(x: Tensor): Tensor {
    const [batch = 1, height = 1, width = 1, channels = 1] = x.shape;
    using normed = this.#norm.forward(x, 'none');
    const project = (layer: Convolution) => {
      using grid = layer.forward(normed);
      return grid.reshape(batch, height * width, 1, channels);
    };
    using q = project(this.#query);
    using k = project(this.#key);
    using v = project(this.#value);
    using attended = attention({ q, k, v });
    using grid = attended.reshape(batch, height, width, channels);
    return this.#output.forward(grid, x);
  }

  [Symbol.dispose](): void {
    this.#norm[Symbol.dispose]();
    this.#query[Symbol.dispose]();
    this.#key[Symbol.dispose]();
    this.#value[Symbol.dispose]();
    this.#output[Symbol.dispose]();
  }
}
