// What every model benchmark is given.

import type { CacheDType } from '@limen/kv-cache';
import type { JanusPro, Quantization } from '@limen/models-janus';
import type { DType } from '@limen/tensor';

import type { BenchmarkModel } from './random-janus.js';

/** One decode measurement. */
export interface DecodeCase {
  readonly batch: number;
  /** Tokens in the cache of every sequence. */
  readonly context: number;
}

/** A network on a device and what to vary. */
export interface BenchmarkContext {
  readonly network: JanusPro;
  readonly model: BenchmarkModel;
  readonly device: string;
  readonly dtype: DType;
  readonly quantization: Quantization;
  /** Weight format as it stands in ids: `bf16`, `int8`. */
  readonly format: string;
  /** Storage of keys and values. */
  readonly kv: CacheDType;
  readonly runs: number;
}

/** Last part of an id: how keys and values are kept, unless as the activations are. */
export function kvSuffix({ kv, dtype }: Pick<BenchmarkContext, 'kv' | 'dtype'>): string {
  return kv === dtype ? '' : `/kv-${kv}`;
}
