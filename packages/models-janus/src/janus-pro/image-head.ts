// Between the decoder and image codes: the head that predicts the next code, and the table that feeds it back.

import type { Tensor } from '@limen/tensor';

import type { LinearLayer } from '../layers/linear.js';
import { Projector } from '../layers/projector.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import type { ImageCodeConfig } from './config-types.js';

/** Predicts image codes and embeds them. */
export class ImageHead implements Disposable {
  /** `[codebook, C]`: the decoder input of every code. Small, so it is worked out once instead of at every step. */
  readonly table: Tensor;
  readonly #inner: LinearLayer;
  readonly #output: LinearLayer;

  constructor(loader: WeightLoader, config: ImageCodeConfig, hiddenSize: number) {
    const { codebookSize, codeSize, alignerDepth, headSize } = config;
    const bias = { bias: true };
    this.#inner = loader.linear([{ name: 'model.generation_head.proj_out', rows: headSize }], hiddenSize, bias);
    this.#output = loader.linear([{ name: 'model.generation_head.vision_head', rows: codebookSize }], headSize, bias);
    using embeddings = loader.tensor('model.generation_embeddings.weight', [codebookSize, codeSize]);
    using aligner = new Projector(loader, 'model.generation_aligner', codeSize, hiddenSize, alignerDepth);
    this.table = loader.adopt(loader.measuresOnly ? embeddings.clone() : aligner.forward(embeddings));
  }

  /** `[..., C]` → `[..., codebook]` */
  logits(hidden: Tensor): Tensor {
    using inner = this.#inner.forward(hidden, { activation: 'gelu' });
    return this.#output.forward(inner);
  }

  [Symbol.dispose](): void {
    this.table.dispose();
    this.#inner[Symbol.dispose]();
    this.#output[Symbol.dispose]();
  }
}
