// The shape of a Janus-Pro model as data. config.ts reads it from a checkpoint's config.json.

import type { DType } from '@limen/tensor';

/** The language decoder (Llama). */
export interface TextConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  /** Longest sequence, in tokens. */
  readonly maxPositions: number;
  readonly ropeBase: number;
  readonly rmsNormEpsilon: number;
}

/** The vision tower (SigLIP). */
export interface VisionConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  /** Side of the square input, in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  /** Patches per image. */
  readonly imageTokens: number;
  readonly layerNormEpsilon: number;
}

/** The image tokenizer (VQ-16) and the parts that draw with it. */
export interface ImageCodeConfig {
  readonly codebookSize: number;
  /** Width of a code. */
  readonly codeSize: number;
  readonly latentChannels: number;
  readonly baseChannels: number;
  /** Widths relative to `baseChannels`, from the largest grid to the smallest. */
  readonly channelMultipliers: readonly number[];
  readonly residualBlocks: number;
  /** Codes along each side of an image. */
  readonly gridSize: number;
  /** Linear layers between the code embedding and the decoder. */
  readonly alignerDepth: number;
  /** Width inside the head that predicts codes. */
  readonly headSize: number;
}

/** Ids of the special tokens, looked up in the tokenizer by their text. */
export interface TokenConfig {
  readonly bos: number;
  readonly eos: number;
  readonly pad: number;
  readonly beginOfImage: number;
  readonly endOfImage: number;
  readonly imagePlaceholder: number;
}

/** Everything the model needs to know about itself. */
export interface JanusConfig {
  readonly text: TextConfig;
  readonly vision: VisionConfig;
  /** Linear layers between the vision tower and the decoder. */
  readonly alignerDepth: number;
  readonly imageCode: ImageCodeConfig;
  readonly tokens: TokenConfig;
  /** Type the checkpoint says its weights are in. */
  readonly defaultDType: DType;
}
