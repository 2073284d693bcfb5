// One block of the decoder: attention and gated MLP, each behind a norm and beside a residual.

import type { Tensor } from '@limen/tensor';

import { headView } from '../layers/head-views.js';
import type { LinearLayer } from '../layers/linear.js';
import type { RmsNorm } from '../layers/normalization.js';
import type { TextConfig } from '../janus-pro/config-types.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import type { KeyValueStep } from './key-value-step.js';

/** `x += o(attention(norm(x)))`, then `x += down(silu(gate(norm(x))) · up(norm(x)))`. */
export class DecoderLayer implements Disposable {
  readonly #config: TextConfig;
  readonly #index: number;
  readonly #attentionNorm: RmsNorm;
  readonly #queryKeyValue: LinearLayer;
  readonly #output: LinearLayer;
  readonly #mlpNorm: RmsNorm;
  readonly #gateUp: LinearLayer;
  readonly #down: LinearLayer;

  /** @param prefix - e.g. `model.language_model.layers.0` */
  constructor(loader: WeightLoader, prefix: string, index: number, config: TextConfig) {
    const { hiddenSize, intermediateSize, heads, keyValueHeads, headSize, rmsNormEpsilon } = config;
    const block = (name: string, rows: number) => ({ name: `${prefix}.${name}`, rows });
    const quantizable = { quantizable: true };
    this.#config = config;
    this.#index = index;
    this.#attentionNorm = loader.rmsNorm(`${prefix}.input_layernorm`, hiddenSize, rmsNormEpsilon);
    this.#queryKeyValue = loader.linear(
      [
        block('self_attn.q_proj', heads * headSize),
        block('self_attn.k_proj', keyValueHeads * headSize),
        block('self_attn.v_proj', keyValueHeads * headSize),
      ],
      hiddenSize,
      quantizable,
    );
    this.#output = loader.linear([block('self_attn.o_proj', hiddenSize)], heads * headSize, quantizable);
    this.#mlpNorm = loader.rmsNorm(`${prefix}.post_attention_layernorm`, hiddenSize, rmsNormEpsilon);
    this.#gateUp = loader.linear(
      [block('mlp.gate_proj', intermediateSize), block('mlp.up_proj', intermediateSize)],
      hiddenSize,
      quantizable,
    );
    this.#down = loader.linear([block('mlp.down_proj', hiddenSize)], intermediateSize, quantizable);
  }

  /** `[B, T, C]` → `[B, T, C]`; the caller disposes both. */
  forward(x: Tensor, step: KeyValueStep): Tensor {
    using afterAttention = this.#attend(x, step);
    using activated = this.#gateUp.forwardNormed(afterAttention, this.#mlpNorm, { gated: true });
    return this.#down.forward(activated, { residual: afterAttention });
  }

  #attend(x: Tensor, step: KeyValueStep): Tensor {
    const { heads, keyValueHeads, headSize, ropeBase } = this.#config;
    using fused = this.#queryKeyValue.forwardNormed(x, this.#attentionNorm);
    using q = headView(fused, 0, heads, headSize);
    using k = headView(fused, heads, keyValueHeads, headSize);
    using v = headView(fused, heads + keyValueHeads, keyValueHeads, headSize);
    using attended = step.attend(this.#index, { q, k, v }, ropeBase);
    using merged = attended.reshape(x.extent(0), x.extent(1), heads * headSize);
    return this.#output.forward(merged, { residual: x });
  }

  [Symbol.dispose](): void {
    this.#attentionNorm[Symbol.dispose]();
    this.#queryKeyValue[Symbol.dispose]();
    this.#output[Symbol.dispose]();
    this.#mlpNorm[Symbol.dispose]();
    this.#gateUp[Symbol.dispose]();
    this.#down[Symbol.dispose]();
  }
}
