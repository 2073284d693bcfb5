// Janus-Pro with its real shapes and random weights, made on the device; and one so small that a CPU runs it in a moment.

import { bytesPerToken, type CacheDType } from '@limen/kv-cache';
import { type JanusConfig, JanusPro, janusProConfigs, type Quantization, RandomLoader } from '@limen/models-janus';
import type { DType } from '@limen/tensor';

const tiny: JanusConfig = {
  text: {
    hiddenSize: 64,
    intermediateSize: 128,
    layers: 2,
    heads: 2,
    keyValueHeads: 2,
    headSize: 32,
    vocabularySize: 512,
    maxPositions: 1024,
    ropeBase: 10000,
    rmsNormEpsilon: 1e-6,
  },
  vision: {
    hiddenSize: 32,
    layers: 1,
    heads: 2,
    intermediateSize: 64,
    imageSize: 16,
    patchSize: 4,
    imageTokens: 16,
    layerNormEpsilon: 1e-6,
  },
  alignerDepth: 2,
  imageCode: {
    codebookSize: 64,
    codeSize: 8,
    latentChannels: 32,
    baseChannels: 32,
    channelMultipliers: [1, 1],
    residualBlocks: 1,
    gridSize: 4,
    alignerDepth: 2,
    headSize: 64,
  },
  tokens: { bos: 504, eos: 505, pad: 506, beginOfImage: 507, endOfImage: 508, imagePlaceholder: 509 },
  defaultDType: 'bf16',
};

/** Shapes that benchmarks know. `tiny` is for checking on a CPU that everything runs. */
export const benchmarkConfigs = { ...janusProConfigs, tiny } satisfies Record<string, JanusConfig>;

/** Names of the configurations. */
export type BenchmarkModel = keyof typeof benchmarkConfigs;

/** Builds a network; the caller disposes it. */
export function randomJanus(model: BenchmarkModel, device: string, dtype: DType, quantization: Quantization): JanusPro {
  return new JanusPro(new RandomLoader(device, dtype, quantization), benchmarkConfigs[model]);
}

/** Bytes of weights that one text decode step reads: the decoder's layers and the head. */
export function decodeWeightBytes(model: BenchmarkModel, quantization: Quantization): number {
  const { text } = benchmarkConfigs[model];
  const { hiddenSize, layers, vocabularySize } = text;
  return layers * layerWeights(model) * (quantization === 'int8' ? 1 : 2) + vocabularySize * hiddenSize * 2;
}

/** Bytes of keys and values per token, scales included. */
export function cacheTokenBytes(model: BenchmarkModel, dtype: CacheDType): number {
  const { layers, keyValueHeads, headSize } = benchmarkConfigs[model].text;
  return bytesPerToken({ layers, keyValueHeads, headSize, dtype });
}

/** Multiply-adds per token through the decoder's layers, doubled: floating-point operations. */
export function layerOperations(model: BenchmarkModel): number {
  return 2 * benchmarkConfigs[model].text.layers * layerWeights(model);
}

function layerWeights(model: BenchmarkModel): number {
  const { hiddenSize, intermediateSize, heads, keyValueHeads, headSize } = benchmarkConfigs[model].text;
  return hiddenSize * headSize * (2 * heads + 2 * keyValueHeads) + 3 * hiddenSize * intermediateSize;
}

/** Ids of ordinary words, spread over the vocabulary. */
export function wordIds(config: JanusConfig, count: number, first = 0): number[] {
  const words = Math.min(config.tokens.bos, config.text.vocabularySize) - 10;
  return Array.from({ length: count }, (_, index) => 10 + (((first + index) * 7919) % words));
}

/**
 * Reference values for an H200 that floors are worked out with: bytes read, bf16 operations, and bytes over the host link
 * per second.
 */
export const ceilings = {
  readBytesPerSecond: 4.6e12,
  bf16OperationsPerSecond: 790e12,
  hostLinkBytesPerSecond: 55e9,
};
