// The weights of all layers, side by side, and the one launch that takes a token through them.

import { computeCapability, type Tensor } from '@limen/tensor';

import type { TextConfig } from '../janus-pro/config-types.js';
import { decodeLayers } from '../ops/decode-layers.js';
import { decodeLayersInt8 } from '../ops/decode-layers-int8.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import { ProjectionStack, WeightStack } from '../weights/weight-stack.js';

/** Rows that one launch takes at the speed of memory. */
const mostRows = 32;
/** Rows of up to this many channels fit the registers of a multiprocessor. */
const mostChannels = 4096;

/** Pages of all layers, and one token of each sequence. */
export interface TokenTables {
  /** `[L, G, P, H, D]`, bf16 */
  readonly keyPages: Tensor;
  readonly valuePages: Tensor;
  /** `[B, M]` i32 */
  readonly pageTable: Tensor;
  /** `[B]` i32: where the token goes; negative: nowhere. */
  readonly positions: Tensor;
  /** `[B]` i32 */
  readonly rotaryPositions: Tensor;
  /** `[B]` i32 */
  readonly lengths: Tensor;
}

/** Whether a decoder is one that the launch over all layers is made for, on a device that has it. */
export function stacksLayers(
  { hiddenSize, intermediateSize, heads, keyValueHeads, headSize }: TextConfig,
  { dtype, device, quantization, measuresOnly }: WeightLoader,
): boolean {
  const sizes = [hiddenSize, intermediateSize, heads * headSize];
  // Rows of weights are copied in blocks of 128 bytes.
  const block = quantization === 'int8' ? 128 : 64;
  return (
    !measuresOnly &&
    dtype === 'bf16' &&
    heads === keyValueHeads &&
    (headSize === 32 || headSize === 128) &&
    sizes.every((size) => size % block === 0) &&
    Math.max(hiddenSize, heads * headSize) <= mostChannels &&
    (computeCapability(device) ?? 0) >= 9
  );
}

/** Where the layers of a decoder put their weights. */
export class LayerStacks implements Disposable {
  readonly attentionNorm: WeightStack;
  readonly queryKeyValue: ProjectionStack;
  readonly output: ProjectionStack;
  readonly mlpNorm: WeightStack;
  readonly gateUp: ProjectionStack;
  readonly down: ProjectionStack;
  readonly #config: TextConfig;

  constructor(config: TextConfig) {
    const { layers } = config;
    this.#config = config;
    this.attentionNorm = new WeightStack(layers);
    this.queryKeyValue = new ProjectionStack(layers);
    this.output = new ProjectionStack(layers);
    this.mlpNorm = new WeightStack(layers);
    this.gateUp = new ProjectionStack(layers);
    this.down = new ProjectionStack(layers);
  }

  /**
   * One token of each sequence through all layers.
   *
   * @param x - `[B, C]`
   * @returns `[B, C]`, the caller's; undefined where single ops are faster
   */
  decode(x: Tensor, tables: TokenTables): Tensor | undefined {
    if (x.extent(0) > mostRows) return undefined;
    const { rmsNormEpsilon: epsilon, ropeBase: base } = this.#config;
    const norms = { attentionNorm: loaded(this.attentionNorm), mlpNorm: loaded(this.mlpNorm) };
    const weights = {
      queryKeyValue: loaded(this.queryKeyValue.weight),
      output: loaded(this.output.weight),
      gateUp: loaded(this.gateUp.weight),
      down: loaded(this.down.weight),
    };
    if (this.queryKeyValue.scales.memory === undefined) {
      return decodeLayers({ x, ...norms, ...weights, ...tables }, { epsilon, base });
    }
    const scales = {
      queryKeyValueScales: loaded(this.queryKeyValue.scales),
      outputScales: loaded(this.output.scales),
      gateUpScales: loaded(this.gateUp.scales),
      downScales: loaded(this.down.scales),
    };
    return decodeLayersInt8({ x, ...norms, ...weights, ...tables, ...scales }, { epsilon, base });
  }

  [Symbol.dispose](): void {
    const { attentionNorm, queryKeyValue, output, mlpNorm, gateUp, down } = this;
    for (const stack of [attentionNorm, queryKeyValue, output, mlpNorm, gateUp, down]) stack[Symbol.dispose]();
  }
}

function loaded({ memory }: WeightStack): Tensor {
  return memory as Tensor;
}
