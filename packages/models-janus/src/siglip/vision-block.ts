// One block of the vision tower: attention in both directions and an MLP, each behind a norm and beside a residual.

import { attention, type Tensor } from '@limen/tensor';

import type { VisionConfig } from '../janus-pro/config-types.js';
import { headView } from '../layers/head-views.js';
import type { LinearLayer } from '../layers/linear.js';
import type { LayerNorm } from '../layers/normalization.js';
import type { WeightLoader } from '../weights/weight-loader.js';

/** `x += out(attention(norm(x)))`, then `x += fc2(gelu(fc1(norm(x))))`. */
export class VisionBlock implements Disposable {
  readonly #heads: number;
  readonly #headSize: number;
  readonly #attentionNorm: LayerNorm;
  readonly #queryKeyValue: LinearLayer;
  readonly #output: LinearLayer;
  readonly #mlpNorm: LayerNorm;
  readonly #up: LinearLayer;
  readonly #down: LinearLayer;

  /** @param prefix - e.g. `model.vision_model.encoder.layers.0` */
  constructor(loader: WeightLoader, prefix: string, config: VisionConfig) {
    const { hiddenSize, intermediateSize, heads, layerNormEpsilon } = config;
    const block = (name: string, rows: number) => ({ name: `${prefix}.${name}`, rows });
    const bias = { bias: true };
    this.#heads = heads;
    this.#headSize = hiddenSize / heads;
    this.#attentionNorm = loader.layerNorm(`${prefix}.layer_norm1`, hiddenSize, layerNormEpsilon);
    this.#queryKeyValue = loader.linear(
      ['q_proj', 'k_proj', 'v_proj'].map((name) => block(`self_attn.${name}`, hiddenSize)),
      hiddenSize,
      bias,
    );
    this.#output = loader.linear([block('self_attn.projection_layer', hiddenSize)], hiddenSize, bias);
    this.#mlpNorm = loader.layerNorm(`${prefix}.layer_norm2`, hiddenSize, layerNormEpsilon);
    this.#up = loader.linear([block('mlp.fc1', intermediateSize)], hiddenSize, bias);
    this.#down = loader.linear([block('mlp.fc2', hiddenSize)], intermediateSize, bias);
  }

  /** `[B, N, C]` → `[B, N, C]` */
  forward(x: Tensor): Tensor {
    using afterAttention = this.#attend(x);
    using normed = this.#mlpNorm.forward(afterAttention);
    using inner = this.#up.forward(normed, { activation: 'gelu' });
    return this.#down.forward(inner, { residual: afterAttention });
  }

  #attend(x: Tensor): Tensor {
    using normed = this.#attentionNorm.forward(x);
    using fused = this.#queryKeyValue.forward(normed);
    using q = headView(fused, 0, this.#heads, this.#headSize);
    using k = headView(fused, this.#heads, this.#heads, this.#headSize);
    using v = headView(fused, 2 * this.#heads, this.#heads, this.#headSize);
    using attended = attention({ q, k, v });
    using merged = attended.reshape(...x.shape);
    return this.#output.forward(merged, { residual: x });
  }

  [Symbol.dispose](): void {
    this.#attentionNorm[Symbol.dispose]();
    this.#queryKeyValue[Symbol.dispose]();
    this.#output[Symbol.dispose]();
    this.#mlpNorm[Symbol.dispose]();
    this.#up[Symbol.dispose]();
    this.#down[Symbol.dispose]();
  }
}
