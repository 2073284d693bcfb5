// Janus-Pro: composition only. One decoder reads pictures through the vision tower and draws them through image codes.

import { type DType, embedding, scatterRows, type Tensor } from '@limen/tensor';

import type { LinearLayer } from '../layers/linear.js';
import { Projector } from '../layers/projector.js';
import { Llama, type Observer } from '../llama/llama.js';
import { VisionEncoder } from '../siglip/vision-encoder.js';
import { VqDecoder } from '../vq16/decoder.js';
import type { WeightLoader } from '../weights/weight-loader.js';
import type { JanusConfig } from './config-types.js';
import { ImageHead } from './image-head.js';

/** The network. Knows tensors, not text: prompts and sampling live beside it. */
export class JanusPro implements Disposable {
  readonly config: JanusConfig;
  readonly device: string;
  /** Type of weights and activations. */
  readonly dtype: DType;
  readonly decoder: Llama;
  readonly #vision: VisionEncoder;
  readonly #aligner: Projector;
  readonly #textHead: LinearLayer;
  readonly #imageHead: ImageHead;
  readonly #imageDecoder: VqDecoder;

  constructor(loader: WeightLoader, config: JanusConfig) {
    const { text, vision, imageCode, alignerDepth } = config;
    this.config = config;
    this.device = loader.device;
    this.dtype = loader.dtype;
    this.decoder = new Llama(loader, 'model.language_model', text);
    this.#textHead = loader.linear([{ name: 'lm_head', rows: text.vocabularySize }], text.hiddenSize);
    this.#vision = new VisionEncoder(loader, 'model.vision_model', vision);
    this.#aligner = new Projector(loader, 'model.aligner', vision.hiddenSize, text.hiddenSize, alignerDepth);
    this.#imageHead = new ImageHead(loader, imageCode, text.hiddenSize);
    this.#imageDecoder = new VqDecoder(loader, 'model.vqmodel', imageCode);
  }

  /**
   * Turns pictures into rows that stand where their placeholders are.
   *
   * @param pixels - `[B, S, S, 3]`, normalised, channels last
   * @returns `[B, N, C]` in the decoder's width; the caller disposes it
   */
  encodeImages(pixels: Tensor, observe?: Observer): Tensor {
    using features = this.#vision.forward(pixels, observe);
    const aligned = this.#aligner.forward(features);
    observe?.('aligned', aligned);
    return aligned;
  }

  /**
   * Embeds a prompt, with image rows in the place of their placeholders.
   *
   * @param ids - `[B, T]` i32
   * @param images - rows `[M, C]` and where they go, as indices into `B · T`
   * @returns `[B, T, C]`; the caller disposes it
   */
  embedPrompt(ids: Tensor, images?: { rows: Tensor; index: Tensor }): Tensor {
    const embedded = this.decoder.embed(ids);
    if (images !== undefined) {
      using flat = embedded.reshape(-1, this.config.text.hiddenSize);
      scatterRows({ x: flat, rows: images.rows, index: images.index });
    }
    return embedded;
  }

  /** `[..., C]` normed decoder states → `[..., V]` over text tokens */
  textLogits(hidden: Tensor): Tensor {
    return this.#textHead.forward(hidden);
  }

  /** `[..., C]` normed decoder states → `[..., codebook]` over image codes */
  imageLogits(hidden: Tensor): Tensor {
    return this.#imageHead.logits(hidden);
  }

  /** `[...]` i32 image codes → `[..., C]` decoder inputs */
  embedImageCodes(codes: Tensor): Tensor {
    return embedding({ ids: codes, weight: this.#imageHead.table });
  }

  /** `[B, grid²]` i32 image codes → `[B, S, S, 3]` pixels, about -1 to 1 */
  decodeImages(codes: Tensor, observe?: Observer): Tensor {
    return this.#imageDecoder.forward(codes, observe);
  }

  [Symbol.dispose](): void {
    this.decoder[Symbol.dispose]();
    this.#vision[Symbol.dispose]();
    this.#aligner[Symbol.dispose]();
    this.#textHead[Symbol.dispose]();
    this.#imageHead[Symbol.dispose]();
    this.#imageDecoder[Symbol.dispose]();
  }
}
