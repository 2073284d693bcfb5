// How one forward pass touches the cache. The decoder's layers do not know whether they prefill or decode.

import { attention, type Tensor } from '@limen/tensor';

/** The part of a key/value cache that a pass needs; @limen/kv-cache's PagedCache has it. */
export interface LayerCache {
  append(layer: number, step: { k: Tensor; v: Tensor; pageTable: Tensor; positions: Tensor }): void;
  attention(layer: number, step: { q: Tensor; pageTable: Tensor; lengths: Tensor; scale?: number }): Tensor;
}

/** What the layers of one forward pass share. */
export interface KeyValueStep {
  /** `[B, T]` i32: rotary position of every token. */
  readonly positions: Tensor;
  /**
   * Stores the keys and values of this pass and attends to everything the queries may see.
   *
   * @param q - `[B, T, H, D]`, rotated; @param k - `[B, T, K, D]`, rotated; @param v - `[B, T, K, D]`
   * @returns `[B, T, H, D]`, the caller's to dispose
   */
  attend(layer: number, q: Tensor, k: Tensor, v: Tensor): Tensor;
}

/** A whole prompt at once: attention over this pass' own keys, which are stored for later. */
export class PrefillStep implements KeyValueStep {
  readonly positions: Tensor;
  readonly #cache: LayerCache | undefined;
  readonly #pageTable: Tensor | undefined;
  readonly #slots: Tensor | undefined;
  readonly #lengths: Tensor | undefined;

  /**
   * @param positions - `[B, T]` i32
   * @param lengths - `[B]` i32: tokens of each row, counted from the left; absent when every row is full
   * @param store - where to keep keys and values; `slots` `[B, T]` i32 holds the place of each token in its sequence, -1
   *   for padding
   */
  constructor(positions: Tensor, lengths?: Tensor, store?: { cache: LayerCache; pageTable: Tensor; slots: Tensor }) {
    this.positions = positions;
    this.#lengths = lengths;
    this.#cache = store?.cache;
    this.#pageTable = store?.pageTable;
    this.#slots = store?.slots;
  }

  attend(layer: number, q: Tensor, k: Tensor, v: Tensor): Tensor {
    if (this.#cache !== undefined && this.#pageTable !== undefined && this.#slots !== undefined) {
      this.#cache.append(layer, { k, v, pageTable: this.#pageTable, positions: this.#slots });
    }
    return attention({ q, k, v, lengths: this.#lengths }, { causal: true });
  }
}

/** One token per sequence: attention over the pages. All state is on the device, so the pass can be captured. */
export class DecodeStep implements KeyValueStep {
  readonly positions: Tensor;
  readonly #cache: LayerCache;
  readonly #pageTable: Tensor;
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
    this.positions = positions;
    this.#slots = slots;
    this.#lengths = lengths;
  }

  attend(layer: number, q: Tensor, k: Tensor, v: Tensor): Tensor {
    this.#cache.append(layer, { k, v, pageTable: this.#pageTable, positions: this.#slots });
    using queries = q.squeeze(1);
    using attended = this.#cache.attention(layer, { q: queries, pageTable: this.#pageTable, lengths: this.#lengths });
    return attended.unsqueeze(1);
  }
}
