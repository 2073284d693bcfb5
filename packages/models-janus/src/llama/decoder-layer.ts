// One block of the decoder: attention and gated MLP, each behind a norm and beside a residual.

import type { Tensor } from '@limen/tensor';

import { headView } from '../layers/head-views.js';
import type { LinearLayer } from '../layers/linear.js';
import type { RmsNorm } from '../layers/normalization.js';
import type { TextConfig } from '../janus-pro/config-types.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import type { ProjectionStack } from '../weights/weight-stack.js';
import type { KeyValueStep } from './key-value-step.js';
import type { LayerStacks } from './layer-stacks.js';

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

  /**
   * @param prefix - e.g. `model.language_model.layers.0`
   * @param stacks - where its weights are to stand beside those of the other layers
   */
  constructor(loader: WeightLoader, prefix: string, index: number, config: TextConfig, stacks?: LayerStacks) {
    const { hiddenSize, intermediateSize, heads, keyValueHeads, headSize, rmsNormEpsilon } = config;
    const block = (name: string, rows: number) => ({ name: `${prefix}.${name}`, rows });
    const at = <Stack>(stack: Stack | undefined) => (stack === undefined ? undefined : { stack, layer: index });
    const request = (stack: ProjectionStack | undefined) => ({ quantizable: true, place: at(stack) });
    this.#config = config;
    this.#index = index;
    this.#attentionNorm = loader.rmsNorm(
      `${prefix}.input_layernorm`,
      hiddenSize,
      rmsNormEpsilon,
      at(stacks?.attentionNorm),
    );
    this.#queryKeyValue = loader.linear(
      [
        block('self_attn.q_proj', heads * headSize),
        block('self_attn.k_proj', keyValueHeads * headSize),
        block('self_attn.v_proj', keyValueHeads * headSize),
      ],
      hiddenSize,
      request(stacks?.queryKeyValue),
    );
    this.#output = loader.linear([block('self_attn.o_proj', hiddenSize)], heads * headSize, request(stacks?.output));
    this.#mlpNorm = loader.rmsNorm(
      `${prefix}.post_attention_layernorm`,
      hiddenSize,
      rmsNormEpsilon,
      at(stacks?.mlpNorm),
    );
    this.#gateUp = loader.linear(
      [block('mlp.gate_proj', intermediateSize), block('mlp.up_proj', intermediateSize)],
      hiddenSize,
      request(stacks?.gateUp),
    );
    this.#down = loader.linear([block('mlp.down_proj', hiddenSize)], intermediateSize, request(stacks?.down));
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
