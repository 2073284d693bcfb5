// Doubles height and width, then smooths with a convolution.

import type { Tensor } from '@limen/tensor';

import type { Convolution } from '../layers/convolution.js';
import type { WeightLoader } from '../weights/weight-loader.js';

/** `conv(nearest ×2)` */
export class UpsampleBlock implements Disposable {
  readonly #conv: Convolution;

  constructor(loader: WeightLoader, prefix: string, channels: number) {
    this.#conv = loader.convolution(`${prefix}.conv`, channels, channels, 3, { padding: 1 });
  }

  /** `[B, H, W, C]` → `[B, 2H, 2W, C]` */
  forward(x: Tensor): Tensor {
    return this.#conv.forwardDoubled(x);
  }

  [Symbol.dispose](): void {
    this.#conv[Symbol.dispose]();
  }
}
