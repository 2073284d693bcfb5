// The decoder: token embeddings, a list of layers, a final norm.

import { embedding, type Tensor } from '@limen/tensor';

import type { TextConfig } from '../janus-pro/config-types.js';
import type { RmsNorm } from '../layers/normalization.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import { DecoderLayer } from './decoder-layer.js';
import type { KeyValueStep } from './key-value-step.js';

/** Sees intermediate values by name; the tensor is only valid during the call. */
export type Observer = (name: string, value: Tensor) => void;

/** A Llama decoder without its head. */
export class Llama implements Disposable {
  readonly config: TextConfig;
  readonly #embeddings: Tensor;
  readonly #layers: readonly DecoderLayer[];
  readonly #norm: RmsNorm;

  /** @param prefix - e.g. `model.language_model` */
  constructor(loader: WeightLoader, prefix: string, config: TextConfig) {
    this.config = config;
    this.#embeddings = loader.tensor(`${prefix}.embed_tokens.weight`, [config.vocabularySize, config.hiddenSize]);
    this.#layers = Array.from(
      { length: config.layers },
      (_, index) => new DecoderLayer(loader, `${prefix}.layers.${index}`, index, config),
    );
    this.#norm = loader.rmsNorm(`${prefix}.norm`, config.hiddenSize, config.rmsNormEpsilon);
  }

  /** `[...]` i32 token ids → `[..., C]` */
  embed(ids: Tensor): Tensor {
    return embedding({ ids, weight: this.#embeddings });
  }

  /**
   * Runs the layers and the final norm.
   *
   * @param x - `[B, T, C]` embeddings; stays the caller's
   * @returns `[B, T, C]`, normed; the caller disposes it
   */
  forward(x: Tensor, step: KeyValueStep, observe?: Observer): Tensor {
    observe?.('embeds', x);
    let hidden = x.clone();
    for (const [index, layer] of this.#layers.entries()) {
      using input = hidden;
      hidden = layer.forward(input, step);
      observe?.(`layer${index}`, hidden);
    }
    using last = hidden;
    const normed = this.#norm.forward(last);
    observe?.('norm', normed);
    return normed;
  }

  [Symbol.dispose](): void {
    this.#embeddings.dispose();
    for (const layer of this.#layers) layer[Symbol.dispose]();
    this.#norm[Symbol.dispose]();
  }
}
