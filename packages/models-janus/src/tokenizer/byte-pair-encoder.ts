// Byte pair encoding over ids. Time is n log n in the length of a piece, so a megabyte of one character is no attack.
// Algorithm: repeatedly join the neighbouring pair of lowest rank, leftmost first (Sennrich et al., arXiv:1508.07909).

import { TokenizerError } from '../errors/tokenizer-error.js';
import { characterOfByte } from './byte-alphabet.js';

/** The parts of a tokenizer.json's `model` that matter here. */
export interface BytePairModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Pairs in order of rank. */
  readonly merges: readonly (readonly [string, string])[];
  /** Whether a piece that is a token as a whole is taken as such. */
  readonly ignoreMerges: boolean;
}

interface Merge {
  readonly rank: number;
  readonly id: number;
}

const longestCachedPiece = 64;
const largestCache = 20_000;
// A queue entry is rank x 2^26 + position in one exact double; pieces are cut far below 2^26 bytes.
const positionRange = 2 ** 26;

/** Turns pieces of text into token ids. */
export class BytePairEncoder {
  private readonly idOfByte: Int32Array;
  private readonly merges = new Map<number, Merge>();
  private readonly idRange: number;
  private readonly wholePieces: ReadonlyMap<string, number> | undefined;
  private readonly cache = new Map<string, readonly number[]>();
  private readonly utf8 = new TextEncoder();

  /** @throws {TokenizerError} a merge names a token that the vocabulary lacks */
  constructor(model: BytePairModel) {
    const { vocabulary } = model;
    let largest = 0;
    for (const id of vocabulary.values()) largest = Math.max(largest, id);
    this.idRange = largest + 1;
    this.idOfByte = Int32Array.from({ length: 256 }, (_, byte) => vocabulary.get(characterOfByte(byte)) ?? -1);
    model.merges.forEach(([left, right], rank) => {
      const leftId = vocabulary.get(left);
      const rightId = vocabulary.get(right);
      const id = vocabulary.get(left + right);
      if (leftId === undefined || rightId === undefined || id === undefined) {
        throw new TokenizerError(
          'TOKENIZER_INVALID',
          `tokenizer: merge ${rank} names a token that is not in the vocabulary.`,
          { rank },
        );
      }
      const key = leftId * this.idRange + rightId;
      if (!this.merges.has(key)) this.merges.set(key, { rank, id });
    });
    this.wholePieces = model.ignoreMerges ? vocabulary : undefined;
  }

  /** Appends the ids of one piece to `ids`. Bytes without a token are left out. */
  encode(piece: string, ids: number[]): void {
    const cached = this.cache.get(piece);
    if (cached !== undefined) {
      for (const id of cached) ids.push(id);
      return;
    }
    const start = ids.length;
    this.encodeBytes(this.utf8.encode(piece), ids);
    if (piece.length > longestCachedPiece) return;
    if (this.cache.size >= largestCache) this.cache.clear();
    this.cache.set(piece, ids.slice(start));
  }

  private encodeBytes(bytes: Uint8Array, ids: number[]): void {
    if (this.wholePieces !== undefined) {
      const whole =
        bytes.length <= 1024 ? this.wholePieces.get(Array.from(bytes, characterOfByte).join('')) : undefined;
      if (whole !== undefined) {
        ids.push(whole);
        return;
      }
    }
    const word = new Int32Array(bytes.length);
    let length = 0;
    for (const byte of bytes) {
      const id = this.idOfByte[byte] ?? -1;
      if (id >= 0) word[length++] = id;
    }
    if (length >= positionRange) {
      throw new TokenizerError(
        'TOKENIZER_TEXT_TOO_LONG',
        `tokenizer: piece is too long: expected below ${positionRange} bytes, got ${length}.`,
      );
    }
    if (length <= 24) this.mergeShort(word, length, ids);
    else this.mergeLong(word, length, ids);
  }

  // Few symbols: looking at every pair beats keeping a queue.
  private mergeShort(word: Int32Array, count: number, ids: number[]): void {
    let length = count;
    for (;;) {
      let best: Merge | undefined;
      let bestAt = 0;
      for (let at = 0; at + 1 < length; at++) {
        const merge = this.mergeOf(word[at] ?? 0, word[at + 1] ?? 0);
        if (merge !== undefined && (best === undefined || merge.rank < best.rank)) {
          best = merge;
          bestAt = at;
        }
      }
      if (best === undefined) break;
      word[bestAt] = best.id;
      word.copyWithin(bestAt + 1, bestAt + 2, length);
      length--;
    }
    for (let at = 0; at < length; at++) ids.push(word[at] ?? 0);
  }

  private mergeLong(word: Int32Array, length: number, ids: number[]): void {
    const next = Int32Array.from({ length }, (_, at) => at + 1);
    const previous = Int32Array.from({ length }, (_, at) => at - 1);
    const queue = new MinimumQueue();
    const offer = (at: number) => {
      const right = at >= 0 ? (next[at] ?? length) : length;
      if (right >= length) return;
      const merge = this.mergeOf(word[at] ?? 0, word[right] ?? 0);
      if (merge !== undefined) queue.push(merge.rank * positionRange + at);
    };
    for (let at = 0; at + 1 < length; at++) offer(at);
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      const at = entry % positionRange;
      const right = next[at] ?? length;
      // Entries are never removed when a symbol changes; a stale one no longer matches its pair. Joined symbols are -1.
      if ((word[at] ?? -1) < 0 || right >= length) continue;
      const merge = this.mergeOf(word[at] ?? 0, word[right] ?? 0);
      if (merge === undefined || merge.rank !== (entry - at) / positionRange) continue;
      word[at] = merge.id;
      word[right] = -1;
      const after = next[right] ?? length;
      next[at] = after;
      if (after < length) previous[after] = at;
      offer(previous[at] ?? -1);
      offer(at);
    }
    for (let at = 0; at < length; at = next[at] ?? length) ids.push(word[at] ?? 0);
  }

  private mergeOf(left: number, right: number): Merge | undefined {
    return this.merges.get(left * this.idRange + right);
  }
}

/** A binary heap of numbers, smallest first. */
class MinimumQueue {
  private readonly heap: number[] = [];

  push(value: number): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] ?? 0;
      if (above <= value) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = value;
  }

  pop(): number | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] ?? 0) < (heap[child] ?? 0)) child++;
      const below = heap[child] ?? 0;
      if (below >= last) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
