// The two published sizes of Janus-Pro, for benchmarks and tests that need real shapes without a checkpoint.

import type { JanusConfig } from './config-types.js';

const vision = {
  hiddenSize: 1024,
  layers: 24,
  heads: 16,
  intermediateSize: 4096,
  imageSize: 384,
  patchSize: 16,
  imageTokens: 576,
  layerNormEpsilon: 1e-6,
};
const imageCode = {
  codebookSize: 16384,
  codeSize: 8,
  latentChannels: 256,
  baseChannels: 128,
  channelMultipliers: [1, 1, 2, 2, 4],
  residualBlocks: 2,
  gridSize: 24,
  alignerDepth: 2,
};
const text = { vocabularySize: 102400, maxPositions: 16384, ropeBase: 10000, rmsNormEpsilon: 1e-6, headSize: 128 };

/** Configurations by name. */
export const janusProConfigs = {
  'janus-pro-1b': {
    text: { ...text, hiddenSize: 2048, intermediateSize: 5632, layers: 24, heads: 16, keyValueHeads: 16 },
    vision,
    alignerDepth: 2,
    imageCode: { ...imageCode, headSize: 2048 },
    tokens: {
      bos: 100000,
      eos: 100001,
      pad: 100002,
      beginOfImage: 100003,
      endOfImage: 100580,
      imagePlaceholder: 100581,
    },
    defaultDType: 'bf16',
  },
  'janus-pro-7b': {
    text: { ...text, hiddenSize: 4096, intermediateSize: 11008, layers: 30, heads: 32, keyValueHeads: 32 },
    vision,
    alignerDepth: 2,
    imageCode: { ...imageCode, headSize: 4096 },
    tokens: {
      bos: 100000,
      eos: 100001,
      pad: 100015,
      beginOfImage: 100016,
      endOfImage: 100593,
      imagePlaceholder: 100594,
    },
    defaultDType: 'bf16',
  },
} as const satisfies Record<string, JanusConfig>;
