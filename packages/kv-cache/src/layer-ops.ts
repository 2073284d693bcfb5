// The ops on one layer's pages, chosen by how they are stored.

import { copy, Scope, type Tensor } from '@limen/tensor';

import { attentionAppendPaged } from './ops/attention-append-paged.js';
import { attentionAppendQuantized } from './ops/attention-append-quantized.js';
import { attentionDecodePaged } from './ops/attention-decode-paged.js';
import { attentionDecodeQuantized } from './ops/attention-decode-quantized.js';
import { kvAppend } from './ops/kv-append.js';
import { kvAppendQuantized } from './ops/kv-append-quantized.js';
import type { LayerPages } from './page-memory.js';

/** New tokens of a batch and where they go. */
export interface AppendInputs {
  /** `[B, T, K, D]` f32 | f16 | bf16, dense along `D`; the type of the cache where that has no scales. */
  readonly k: Tensor;
  /** `[B, T, K, D]`, likewise. */
  readonly v: Tensor;
  /** i32 `[B, M]`, from `PagedCache.pageTable`. */
  readonly pageTable: Tensor;
  /** i32 `[B, T]`, position of each token in its sequence; negative ones are not stored. */
  readonly positions: Tensor;
  /** `[B, T, H, D]`, queries to rotate where they are; default: none. */
  readonly q?: Tensor;
  /** i32 `[B, T]`, positions to rotate by; default: `positions`. */
  readonly rotaryPositions?: Tensor;
}

/** How queries and keys are rotated on the way; default: not at all. */
export interface RotaryOptions {
  readonly rotary?: 'none' | 'half' | 'interleaved';
  /** Base of the frequencies; default 10000. */
  readonly base?: number;
  /** Channels that turn; default 0, which stands for all. */
  readonly rotaryDimensions?: number;
}

/** One query of each sequence of a batch. */
export interface AttentionInputs {
  /** `[B, H, D]` f32 | f16 | bf16; query head `h` reads key/value head `⌊h · K / H⌋`. */
  readonly q: Tensor;
  /** i32 `[B, M]`, from `PagedCache.pageTable`. */
  readonly pageTable: Tensor;
  /** i32 `[B]`, from `PagedCache.lengths`; 0 gives zeros. */
  readonly lengths: Tensor;
  /**
   * i32 `[N]`: each `B/N` consecutive sequences share their first tokens, as forks do, and read them once where that is
   * faster.
   */
  readonly prefixLengths?: Tensor;
  /** Factor on `q·k`; default 0, which means `1/√D`. */
  readonly scale?: number;
  /** Newest tokens that are seen; default 0, which means all. */
  readonly window?: number;
  /** First tokens that are seen beside the window; default 0. */
  readonly sinks?: number;
}

/** One new token of each sequence of a batch, and which keys its queries see. */
export interface AttendInputs extends AttentionInputs {
  /** `[B, K, D]`, not rotated, as `q`; the type of the cache where that has no scales. */
  readonly k: Tensor;
  /** `[B, K, D]`, likewise. */
  readonly v: Tensor;
  /** i32 `[B]`, position of each token in its sequence; negative ones are not stored. */
  readonly positions: Tensor;
  /** i32 `[B]`, positions to rotate by; default: `positions`. */
  readonly rotaryPositions?: Tensor;
}

/** How queries and keys are rotated, and what may be read early. */
export interface AttendOptions extends RotaryOptions {
  /**
   * Promises that no op that may still be running writes the tables or this layer's pages, as is true between the layers
   * of a model; default `false`.
   */
  readonly settledCache?: boolean;
  /** `[B, H, D]`; default: a new tensor that the caller disposes. */
  readonly out?: Tensor;
}

/** Writes keys and values into a layer's pages. */
export function appendToLayer(pages: LayerPages, inputs: AppendInputs, options: RotaryOptions = {}): void {
  const { keys: keyPages, values: valuePages, keyScales, valueScales } = pages;
  if (keyScales === undefined || valueScales === undefined) {
    kvAppend({ ...inputs, keyPages, valuePages }, options);
  } else {
    kvAppendQuantized({ ...inputs, keyPages, valuePages, keyScales, valueScales }, options);
  }
}

/** `[B, H, D]`: attention over a layer's pages. */
export function attendToLayer(pages: LayerPages, inputs: AttentionInputs, out?: Tensor): Tensor {
  const { keys: keyPages, values: valuePages, keyScales, valueScales } = pages;
  const { q, pageTable, lengths, prefixLengths, scale, window, sinks } = inputs;
  const options = { out, scale, window, sinks };
  if (keyScales === undefined || valueScales === undefined) {
    return attentionDecodePaged({ q, keyPages, valuePages, pageTable, lengths, prefixLengths }, options);
  }
  return attentionDecodeQuantized(
    { q, keyPages, valuePages, keyScales, valueScales, pageTable, lengths, prefixLengths },
    options,
  );
}

/** `[B, H, D]`: stores one token of each sequence and attends to the layer's pages, on a GPU in one launch or two. */
export function stepLayer(pages: LayerPages, inputs: AttendInputs, options: AttendOptions = {}): Tensor {
  if (inputs.q.device === 'cpu') return stepLayerInTwo(pages, inputs, options);
  const { keys: keyPages, values: valuePages, keyScales, valueScales } = pages;
  const { scale, window, sinks, ...tensors } = inputs;
  const attributes = { ...options, scale, window, sinks };
  if (keyScales === undefined || valueScales === undefined) {
    return attentionAppendPaged({ ...tensors, keyPages, valuePages }, attributes);
  }
  return attentionAppendQuantized({ ...tensors, keyPages, valuePages, keyScales, valueScales }, attributes);
}

/** The same in two ops, which have SIMD kernels; a CPU has no launches to save. */
function stepLayerInTwo(
  pages: LayerPages,
  { k, v, q, positions, rotaryPositions, ...tables }: AttendInputs,
  { out, rotary, base, rotaryDimensions }: AttendOptions,
): Tensor {
  using queries = copy({ x: q });
  using scope = new Scope();
  const asTokens = (x: Tensor) => scope.own(x.unsqueeze(1));
  const token = { k: asTokens(k), v: asTokens(v), q: asTokens(queries), positions: asTokens(positions) };
  const angles = rotaryPositions && { rotaryPositions: asTokens(rotaryPositions) };
  const turning = { rotary, base, rotaryDimensions };
  appendToLayer(pages, { ...token, ...angles, pageTable: tables.pageTable }, turning);
  return attendToLayer(pages, { ...tables, q: queries }, out);
}
