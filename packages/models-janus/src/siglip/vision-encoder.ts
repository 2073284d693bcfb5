// The vision tower: pixels to patch features.

import { add, type Tensor } from '@limen/tensor';

import type { VisionConfig } from '../janus-pro/config-types.js';
import type { Convolution } from '../layers/convolution.js';
import type { LayerNorm } from '../layers/normalization.js';
import type { Observer } from '../llama/llama.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import { VisionBlock } from './vision-block.js';

/** SigLIP without its pooling head. */
export class VisionEncoder implements Disposable {
  readonly #config: VisionConfig;
  readonly #patches: Convolution;
  readonly #positions: Tensor;
  readonly #blocks: readonly VisionBlock[];
  readonly #norm: LayerNorm;

  /** @param prefix - e.g. `model.vision_model` */
  constructor(loader: WeightLoader, prefix: string, config: VisionConfig) {
    const { hiddenSize, patchSize, imageTokens, layers, layerNormEpsilon } = config;
    this.#config = config;
    this.#patches = loader.convolution(`${prefix}.embeddings.patch_embedding`, hiddenSize, 3, patchSize, {
      stride: patchSize,
    });
    this.#positions = loader.tensor(`${prefix}.embeddings.position_embedding.weight`, [imageTokens, hiddenSize]);
    this.#blocks = Array.from(
      { length: layers },
      (_, index) => new VisionBlock(loader, `${prefix}.encoder.layers.${index}`, config),
    );
    this.#norm = loader.layerNorm(`${prefix}.post_layernorm`, hiddenSize, layerNormEpsilon);
  }

  /**
   * @param pixels - `[B, S, S, 3]`, normalised, channels last
   * @returns `[B, N, C]`, patches in row-major order, normed; the caller disposes it
   */
  forward(pixels: Tensor, observe?: Observer): Tensor {
    using grid = this.#patches.forward(pixels);
    using patches = grid.reshape(pixels.extent(0), this.#config.imageTokens, this.#config.hiddenSize);
    let hidden = add({ a: patches, b: this.#positions });
    observe?.('embed', hidden);
    for (const [index, block] of this.#blocks.entries()) {
      using input = hidden;
      hidden = block.forward(input);
      observe?.(`layer${index}`, hidden);
    }
    using last = hidden;
    const normed = this.#norm.forward(last);
    observe?.('post_ln', normed);
    return normed;
  }

  [Symbol.dispose](): void {
    this.#patches[Symbol.dispose]();
    this.#positions.dispose();
    for (const block of this.#blocks) block[Symbol.dispose]();
    this.#norm[Symbol.dispose]();
  }
}
