// Tokens whose stored bytes are a function of a number, in every layer and head: what a token holds shows which it is.

import { bytesOf, type Tensor } from '@limen/tensor';

import type { CacheSequence } from '../cache-sequence.js';
import type { PageMemory } from '../page-memory.js';
import type { PagedCache } from '../paged-cache.js';

/** Page memory on the CPU, or what was copied there from a device. */
export type ReadableMemory = Pick<PageMemory, 'options' | 'parts'>;

/** Bytes of page memory that belong to one token, as views in order of part, plane and head. */
function vectorsOf({ options, parts }: ReadableMemory, sequence: CacheSequence, position: number): Uint8Array[] {
  const { page, offset } = sequence.slot(position);
  const { layers, keyValueHeads: heads, pageSize, pages, layout } = options;
  return parts.flatMap((part: Tensor) => {
    const width = part.extent(-1) * bytesOf(part.dtype);
    const { bytes } = part.storage;
    return Array.from({ length: 2 * layers * heads }, (_, index) => {
      const [plane, head] = [Math.floor(index / heads), index % heads];
      const vector = layout === 'NHD' ? offset * heads + head : head * pageSize + offset;
      const start = ((plane * pages + page) * pageSize * heads + vector) * width;
      return bytes.subarray(start, start + width);
    });
  });
}

/** Below 64, so that the bytes are finite numbers in every format: a copy on the CPU may change the bits of a NaN. */
function byteOf(mark: number, index: number): number {
  return (Math.imul(mark + 1, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b)) >>> 26;
}

/** Writes a token so that only `mark` explains its bytes. */
export function markToken(memory: ReadableMemory, sequence: CacheSequence, position: number, mark: number): void {
  let index = 0;
  for (const vector of vectorsOf(memory, sequence, position)) {
    for (let at = 0; at < vector.length; at += 1) vector[at] = byteOf(mark, index++);
  }
}

/** Whether a token's bytes are those of `mark`, every one of them. */
export function hasMark(memory: ReadableMemory, sequence: CacheSequence, position: number, mark: number): boolean {
  let index = 0;
  return vectorsOf(memory, sequence, position).every((vector) =>
    vector.every((byte) => byte === byteOf(mark, index++)),
  );
}

/** A sequence of tokens marked `first`, `first + 1`, …. */
export function markedSequence(cache: PagedCache, tokens: number, first = 0): CacheSequence {
  const sequence = cache.allocateSequence(tokens);
  for (let position = 0; position < tokens; position += 1) {
    markToken(cache.memory, sequence, position, first + position);
  }
  return sequence;
}

/** Positions whose token is not marked `first + position`; a token in a gap of a window counts as right. */
export function wrongTokens(
  { memory }: { readonly memory: ReadableMemory },
  sequence: CacheSequence,
  first = 0,
): number[] {
  const { pageSize } = memory.options;
  return Array.from({ length: sequence.length }, (_, position) => position).filter((position) => {
    const isHeld = (sequence.pages[Math.floor(position / pageSize)] ?? -1) >= 0;
    return isHeld && !hasMark(memory, sequence, position, first + position);
  });
}
