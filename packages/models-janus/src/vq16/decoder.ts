// The decoder of the image tokenizer: a grid of codes to pixels.

import { codebookLookup, type Tensor } from '@limen/tensor';

import type { ImageCodeConfig } from '../janus-pro/config-types.js';
import type { Convolution } from '../layers/convolution.js';
import type { GroupNorm } from '../layers/normalization.js';
import type { Observer } from '../llama/llama.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import { AttentionBlock } from './attention-block.js';
import { ResidualBlock } from './residual-block.js';
import { UpsampleBlock } from './upsample-block.js';

interface Stage extends Disposable {
  forward(x: Tensor): Tensor;
}

/** Stages of one resolution. */
interface Level {
  readonly name: string;
  readonly stages: readonly Stage[];
}

/** VQ-16: codes of 24 × 24 become 384 × 384 pixels (smaller in small models). */
export class VqDecoder implements Disposable {
  readonly #grid: number;
  readonly #codebook: Tensor;
  readonly #postQuant: Convolution;
  readonly #convIn: Convolution;
  readonly #levels: readonly Level[];
  readonly #normOut: GroupNorm;
  readonly #convOut: Convolution;

  /** @param prefix - e.g. `model.vqmodel` */
  constructor(loader: WeightLoader, prefix: string, config: ImageCodeConfig) {
    const { codebookSize, codeSize, latentChannels, baseChannels, channelMultipliers, residualBlocks, gridSize } =
      config;
    const decoder = `${prefix}.decoder`;
    const widest = baseChannels * (channelMultipliers.at(-1) ?? 1);
    this.#grid = gridSize;
    this.#codebook = loader.tensor(`${prefix}.quantize.embedding.weight`, [codebookSize, codeSize]);
    this.#postQuant = loader.convolution(`${prefix}.post_quant_conv`, latentChannels, codeSize, 1);
    this.#convIn = loader.convolution(`${decoder}.conv_in`, widest, latentChannels, 3, { padding: 1 });

    const levels: Level[] = [
      {
        name: 'mid',
        stages: [
          new ResidualBlock(loader, `${decoder}.mid.block_1`, widest, widest),
          new AttentionBlock(loader, `${decoder}.mid.attn_1`, widest),
          new ResidualBlock(loader, `${decoder}.mid.block_2`, widest, widest),
        ],
      },
    ];
    let channels = widest;
    // Level 0 is the smallest grid and the widest; only there does attention follow each residual block.
    for (const [index, multiplier] of channelMultipliers.toReversed().entries()) {
      const level = `${decoder}.up.${index}`;
      const stages: Stage[] = [];
      for (let block = 0; block <= residualBlocks; block++) {
        stages.push(new ResidualBlock(loader, `${level}.block.${block}`, channels, baseChannels * multiplier));
        channels = baseChannels * multiplier;
        if (index === 0) stages.push(new AttentionBlock(loader, `${level}.attn.${block}`, channels));
      }
      if (index < channelMultipliers.length - 1) stages.push(new UpsampleBlock(loader, `${level}.upsample`, channels));
      levels.push({ name: `up${index}`, stages });
    }
    this.#levels = levels;
    this.#normOut = loader.groupNorm(`${decoder}.norm_out`, channels);
    this.#convOut = loader.convolution(`${decoder}.conv_out`, 3, channels, 3, { padding: 1 });
  }

  /**
   * @param codes - `[B, grid · grid]` i32, row-major
   * @returns `[B, S, S, 3]`, about -1 to 1, channels last; the caller disposes it
   */
  forward(codes: Tensor, observe?: Observer): Tensor {
    using grid = codes.reshape(codes.extent(0), this.#grid, this.#grid);
    using quant = codebookLookup({ ids: grid, codebook: this.#codebook });
    observe?.('quant', quant);
    using latent = this.#postQuant.forward(quant);
    observe?.('post_quant', latent);
    let hidden = this.#convIn.forward(latent);
    observe?.('conv_in', hidden);
    for (const { name, stages } of this.#levels) {
      for (const stage of stages) {
        using input = hidden;
        hidden = stage.forward(input);
      }
      observe?.(name, hidden);
    }
    using last = hidden;
    return this.#convOut.forwardNormed(last, this.#normOut, 'silu');
  }

  [Symbol.dispose](): void {
    this.#codebook.dispose();
    this.#postQuant[Symbol.dispose]();
    this.#convIn[Symbol.dispose]();
    for (const { stages } of this.#levels) for (const stage of stages) stage[Symbol.dispose]();
    this.#normOut[Symbol.dispose]();
    this.#convOut[Symbol.dispose]();
  }
}
