// Janus-Pro with its real shapes and random weights, made on the device.

import { bytesPerToken, type CacheDType } from '@limen/kv-cache';
import { JanusPro, janusProConfigs, type Quantization, RandomLoader } from '@limen/models-janus';
import type { DType } from '@limen/tensor';

/** Names of the configurations that benchmarks know. */
export type BenchmarkModel = keyof typeof janusProConfigs;

/** Builds a network; the caller disposes it. */
export function randomJanus(model: BenchmarkModel, device: string, dtype: DType, quantization: Quantization): JanusPro {
  return new JanusPro(new RandomLoader(device, dtype, quantization), janusProConfigs[model]);
}

/** Bytes of weights that one text decode step reads: the decoder's layers and the head. */
export function decodeWeightBytes(model: BenchmarkModel, quantization: Quantization): number {
  const { text } = janusProConfigs[model];
  const { hiddenSize, intermediateSize, layers, heads, keyValueHeads, headSize, vocabularySize } = text;
  const perLayer = hiddenSize * headSize * (2 * heads + 2 * keyValueHeads) + 3 * hiddenSize * intermediateSize;
  return layers * perLayer * (quantization === 'int8' ? 1 : 2) + vocabularySize * hiddenSize * 2;
}

/** Bytes of keys and values per token, scales included. */
export function cacheTokenBytes(model: BenchmarkModel, dtype: CacheDType): number {
  const { layers, keyValueHeads, headSize } = janusProConfigs[model].text;
  return bytesPerToken({ layers, keyValueHeads, headSize, dtype });
}

/** Multiply-adds per token through the decoder's layers, doubled: floating-point operations. */
export function layerOperations(model: BenchmarkModel): number {
  const { text } = janusProConfigs[model];
  const perLayer =
    text.hiddenSize * text.headSize * (2 * text.heads + 2 * text.keyValueHeads) +
    3 * text.hiddenSize * text.intermediateSize;
  return 2 * text.layers * perLayer;
}

/** Reference values for an H200 that floors are worked out with: bytes read and bf16 operations per second. */
export const ceilings = { readBytesPerSecond: 4.6e12, bf16OperationsPerSecond: 790e12 };
