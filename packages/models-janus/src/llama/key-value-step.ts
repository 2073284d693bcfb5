// How one forward pass rotates queries and keys and touches the cache. The decoder's layers do not know whether they
// prefill or decode.

import { attention, ropeHalf, type Tensor } from '@limen/tensor';

import type { LayerStacks } from './layer-stacks.js';

/** One token of each sequence: `q` `[B, H, D]`, `k` and `v` `[B, K, D]`, not rotated; positions and lengths `[B]`. */
export interface TokenStep {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly pageTable: Tensor;
  readonly positions: Tensor;
  readonly lengths: Tensor;
  readonly rotaryPositions?: Tensor;
}

/** How a token is rotated, and whether the cache is written by nothing but its own layers meanwhile. */
export interface TokenOptions {
  readonly rotary: 'none' | 'half';
  readonly base?: number;
  readonly settledCache?: boolean;
}

/** The part of a key/value cache that a pass needs; @limen/kv-cache's PagedCache has it. */
export interface LayerCache {
  append(layer: number, step: { k: Tensor; v: Tensor; pageTable: Tensor; positions: Tensor }): void;
  attend(layer: number, step: TokenStep, options: TokenOptions): Tensor;
  /** Keys and values of all layers, `[L, G, P, K, D]`, where they are kept in the type of the pass. */
  readonly layers?: { readonly keys: Tensor; readonly values: Tensor } | undefined;
}

/** What a layer projects for its attention, not yet rotated. */
export interface Projections {
  /** `[B, T, H, D]`; may be rotated where it is. */
  readonly q: Tensor;
  /** `[B, T, K, D]`; may be rotated where it is. */
  readonly k: Tensor;
  /** `[B, T, K, D]` */
  readonly v: Tensor;
}

/** What the layers of one forward pass share. */
export interface KeyValueStep {
  /**
   * Rotates queries and keys by their positions, stores keys and values, and attends to everything the queries may see.
   *
   * @param ropeBase - base of the rotary frequencies
   * @returns `[B, T, H, D]`, the caller's to dispose
   */
  attend(layer: number, projections: Projections, ropeBase: number): Tensor;

  /**
   * Takes the pass through all layers at once, where that is possible.
   *
   * @param x - `[B, 1, C]`
   * @returns `[B, 1, C]`, the caller's to dispose
   */
  runThrough?(stacks: LayerStacks, x: Tensor): Tensor | undefined;
}

/** A whole prompt at once: attention over this pass' own keys, which are stored for later. */
export class PrefillStep implements KeyValueStep {
  readonly #positions: Tensor;
  readonly #cache: LayerCache | undefined;
  readonly #pageTable: Tensor | undefined;
  readonly #slots: Tensor | undefined;
  readonly #lengths: Tensor | undefined;

  /**
   * @param positions - `[B, T]` i32: rotary position of every token
   * @param lengths - `[B]` i32: tokens of each row, counted from the left; absent when every row is full
   * @param store - where to keep keys and values; `slots` `[B, T]` i32 holds the place of each token in its sequence, -1
   *   for padding
   */
  constructor(positions: Tensor, lengths?: Tensor, store?: { cache: LayerCache; pageTable: Tensor; slots: Tensor }) {
    this.#positions = positions;
    this.#lengths = lengths;
    this.#cache = store?.cache;
    this.#pageTable = store?.pageTable;
    this.#slots = store?.slots;
  }

  attend(layer: number, { q, k, v }: Projections, ropeBase: number): Tensor {
    // The attention below reads the rotated keys too, so they are rotated before they are stored.
    ropeHalf({ x: q, positions: this.#positions }, { base: ropeBase, out: q });
    ropeHalf({ x: k, positions: this.#positions }, { base: ropeBase, out: k });
    if (this.#cache !== undefined && this.#pageTable !== undefined && this.#slots !== undefined) {
      this.#cache.append(layer, { k, v, pageTable: this.#pageTable, positions: this.#slots });
    }
    return attention({ q, k, v, lengths: this.#lengths }, { causal: true });
  }
}

/** One token per sequence: attention over the pages. All state is on the device, so the pass can be captured. */
export class DecodeStep implements KeyValueStep {
  readonly #cache: LayerCache;
  readonly #pageTable: Tensor;
  readonly #positions: Tensor;
  readonly #slots: Tensor;
  readonly #lengths: Tensor;

  /**
   * @param positions - `[B, 1]` i32, rotary position of the token
   * @param slots - `[B, 1]` i32, its place in the sequence; -1 stores nothing
   * @param lengths - `[B]` i32, keys visible after the token is stored
   */
  constructor(cache: LayerCache, pageTable: Tensor, positions: Tensor, slots: Tensor, lengths: Tensor) {
    this.#cache = cache;
    this.#pageTable = pageTable;
    this.#positions = positions;
    this.#slots = slots;
    this.#lengths = lengths;
  }

  attend(layer: number, { q, k, v }: Projections, ropeBase: number): Tensor {
    using queries = q.squeeze(1);
    using keys = k.squeeze(1);
    using values = v.squeeze(1);
    using slots = this.#slots.squeeze(1);
    using angles = this.#positions.squeeze(1);
    const tables = { pageTable: this.#pageTable, lengths: this.#lengths, positions: slots, rotaryPositions: angles };
    // Tables and older keys were written before this pass began: the kernel may read them while the projection runs.
    using attended = this.#cache.attend(
      layer,
      { q: queries, k: keys, v: values, ...tables },
      { rotary: 'half', base: ropeBase, settledCache: true },
    );
    return attended.unsqueeze(1);
  }

  runThrough(stacks: LayerStacks, x: Tensor): Tensor | undefined {
    const { layers } = this.#cache;
    if (layers === undefined) return undefined;
    using rows = x.squeeze(1);
    using positions = this.#slots.squeeze(1);
    using rotaryPositions = this.#positions.squeeze(1);
    const tables = { pageTable: this.#pageTable, lengths: this.#lengths, positions, rotaryPositions };
    using decoded = stacks.decode(rows, { keyPages: layers.keys, valuePages: layers.values, ...tables });
    return decoded?.unsqueeze(1);
  }
}
