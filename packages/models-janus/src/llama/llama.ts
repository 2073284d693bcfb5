// The decoder: token embeddings, a list of layers, a final norm.

import { embedding, type Tensor } from '@limen/tensor';

import type { TextConfig } from '../janus-pro/config-types.js';
import type { RmsNorm } from '../layers/normalization.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import { DecoderLayer } from './decoder-layer.js';
import type { KeyValueStep } from './key-value-step.js';
import { LayerStacks, stacksLayers } from './layer-stacks.js';

/** Sees intermediate values by name; the tensor is only valid during the call. */
export type Observer = (name: string, value: Tensor) => void;

/** A Llama decoder without its head. */
export class Llama implements Disposable {
  readonly config: TextConfig;
  readonly #embeddings: Tensor;
  readonly #layers: readonly DecoderLayer[];
  readonly #norm: RmsNorm;
  readonly #stacks: LayerStacks | undefined;

  /** @param prefix - e.g. `model.language_model` */
  constructor(loader: WeightLoader, prefix: string, config: TextConfig) {
    this.config = config;
    this.#embeddings = loader.tensor(`${prefix}.embed_tokens.weight`, [config.vocabularySize, config.hiddenSize]);
    const stacks = stacksLayers(config, loader) ? new LayerStacks(config) : undefined;
    this.#stacks = stacks;
    this.#layers = Array.from(
      { length: config.layers },
      (_, index) => new DecoderLayer(loader, `${prefix}.layers.${index}`, index, config, stacks),
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
    // Who wants to see what lies between the layers gets them one by one.
    using last =
      (observe === undefined ? this.#forwardAtOnce(x, step) : undefined) ?? this.#forwardByLayers(x, step, observe);
    const normed = this.#norm.forward(last);
    observe?.('norm', normed);
    return normed;
  }

  #forwardByLayers(x: Tensor, step: KeyValueStep, observe?: Observer): Tensor {
    let hidden = x.clone();
    for (const [index, layer] of this.#layers.entries()) {
      using input = hidden;
      hidden = layer.forward(input, step);
      observe?.(`layer${index}`, hidden);
    }
    return hidden;
  }

  /** All layers in one launch, where there is one for this model, device and step. */
  #forwardAtOnce(x: Tensor, step: KeyValueStep): Tensor | undefined {
    return this.#stacks === undefined ? undefined : step.runThrough?.(this.#stacks, x);
  }

  [Symbol.dispose](): void {
    this.#embeddings.dispose();
    for (const layer of this.#layers) layer[Symbol.dispose]();
    this.#norm[Symbol.dispose]();
    this.#stacks?.[Symbol.dispose]();
  }
}
