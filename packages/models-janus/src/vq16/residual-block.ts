// Two convolutions beside a shortcut.

import type { Tensor } from '@limen/tensor';

import type { Convolution } from '../layers/convolution.js';
import type { GroupNorm } from '../layers/normalization.js';
import type { WeightLoader } from '../weights/weight-loader.js';

/** `conv2(swish(norm2(conv1(swish(norm1(x)))))) + shortcut(x)`; the shortcut is a 1×1 convolution when the width changes. */
export class ResidualBlock implements Disposable {
  readonly #norm1: GroupNorm;
  readonly #conv1: Convolution;
  readonly #norm2: GroupNorm;
  readonly #conv2: Convolution;
  readonly #shortcut: Convolution | undefined;

  constructor(loader: WeightLoader, prefix: string, inputs: number, outputs: number) {
    const same = { padding: 1 };
    this.#norm1 = loader.groupNorm(`${prefix}.norm1`, inputs);
    this.#conv1 = loader.convolution(`${prefix}.conv1`, outputs, inputs, 3, same);
    this.#norm2 = loader.groupNorm(`${prefix}.norm2`, outputs);
    this.#conv2 = loader.convolution(`${prefix}.conv2`, outputs, outputs, 3, same);
    this.#shortcut = inputs === outputs ? undefined : loader.convolution(`${prefix}.nin_shortcut`, outputs, inputs, 1);
  }

  /** `[B, H, W, inputs]` → `[B, H, W, outputs]` */
  forward(x: Tensor): Tensor {
    using inner = this.#conv1.forwardNormed(x, this.#norm1, 'silu');
    using shortcut = this.#shortcut?.forward(x);
    return this.#conv2.forwardNormed(inner, this.#norm2, 'silu', shortcut ?? x);
  }

  [Symbol.dispose](): void {
    this.#norm1[Symbol.dispose]();
    this.#conv1[Symbol.dispose]();
    this.#norm2[Symbol.dispose]();
    this.#conv2[Symbol.dispose]();
    this.#shortcut?.[Symbol.dispose]();
  }
}
