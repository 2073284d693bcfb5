import { opCases } from '@limen/tensor/testing';

import { sharedPageCount, type SharedPages, sharedTable } from '../testing/shared-tables.js';
import { attentionAppendPaged } from './attention-append-paged.js';

const count = (length: number) => Array.from({ length }, (_, index) => index);

/** A decode step of `sequences` sequences of `length` tokens, in pages of 16. */
function step(sequences: number, length: number, heads: number, keyHeads: number) {
  const perSequence = Math.ceil(length / 16);
  return {
    shapes: {
      q: [sequences, heads, 128],
      keyPages: [sequences * perSequence, 16, keyHeads, 128],
      pageTable: [sequences, perSequence],
    },
    attributes: { rotary: 'half', settledCache: true },
    values: { pageTable: count(sequences * perSequence), positions: length - 1, lengths: length },
  };
}

/** A decode step of sequences that share a prefix, in pages of 16. */
function shared(pages: SharedPages, lengths: readonly number[], heads: readonly [number, number, number]) {
  const [queryHeads, keyHeads, headSize] = heads;
  const { sequences, groups, columns } = pages;
  return {
    shapes: {
      q: [sequences, queryHeads, headSize],
      keyPages: [sharedPageCount(pages), 16, keyHeads, headSize],
      pageTable: [sequences, columns],
      prefixLengths: [groups],
    },
    values: {
      pageTable: sharedTable(pages),
      positions: lengths.map((length) => length - 1),
      lengths: [...lengths],
      prefixLengths: 16 * pages.shared,
    },
  };
}

export default opCases(attentionAppendPaged, {
  test: [
    {
      shapes: { q: [1, 1, 1], keyPages: [1, 1, 1, 1], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0, lengths: 1 },
    },
    // Ragged heads, a page size that is no power of two, an empty sequence whose token is stored all the same.
    {
      shapes: { q: [3, 4, 20], keyPages: [9, 5, 2, 20], pageTable: [3, 3] },
      values: { pageTable: [4, 8, 1, 0, 2, 3, 6, 5, 7], positions: [12, 0, 14], lengths: [13, 0, 15] },
      attributes: { rotary: 'half', rotaryDimensions: 12, scale: 0.3 },
    },
    // One query on a head, four, sixteen; a token that is not stored, and one that is stored beyond the length.
    {
      shapes: { q: [2, 4, 128], keyPages: [80, 16, 4, 128], pageTable: [2, 40] },
      values: { pageTable: count(80), positions: [610, 32], lengths: [611, 33] },
      attributes: { rotary: 'half' },
    },
    {
      shapes: { q: [3, 8, 128], keyPages: [60, 16, 2, 128], pageTable: [3, 20] },
      values: { pageTable: count(60), positions: [-1, 40, 0], lengths: [311, 33, 1] },
      attributes: { rotary: 'interleaved', rotaryDimensions: 64, settledCache: true },
    },
    {
      shapes: { q: [3, 32, 128], keyPages: [30, 16, 2, 128], pageTable: [3, 10], rotaryPositions: [3] },
      values: { pageTable: count(30), positions: [159, 7, 16], lengths: [160, 0, 17], rotaryPositions: [3, 1000, 16] },
      attributes: { rotary: 'interleaved', rotaryDimensions: 64 },
    },
    // More queries on a head than a block takes; more splits than a cluster has blocks.
    {
      shapes: { q: [1, 40, 64], keyPages: [70, 16, 2, 64], pageTable: [1, 70] },
      values: { pageTable: count(70), positions: [1110], lengths: [1111] },
      attributes: { rotary: 'half', settledCache: true },
    },
    {
      shapes: { q: [1, 2, 128], keyPages: [640, 16, 1, 128], pageTable: [1, 640] },
      values: { pageTable: count(640), positions: [600], lengths: [601] },
      attributes: { rotary: 'half' },
    },
    // Other head sizes.
    {
      shapes: { q: [2, 6, 64], keyPages: [18, 8, 2, 64], pageTable: [2, 9] },
      values: { pageTable: count(18), positions: [71, 30], lengths: [72, 31] },
      attributes: { rotary: 'half' },
    },
    {
      shapes: { q: [1, 3, 32], keyPages: [4, 16, 3, 32], pageTable: [1, 4] },
      values: { pageTable: count(4), positions: [49], lengths: [50] },
      attributes: { rotary: 'interleaved' },
    },
    {
      shapes: { q: [1, 6, 112], keyPages: [4, 16, 2, 112], pageTable: [1, 4] },
      values: { pageTable: count(4), positions: [49], lengths: [50] },
      attributes: { rotary: 'half' },
    },
    {
      shapes: { q: [2, 2, 256], keyPages: [8, 16, 2, 256], pageTable: [2, 4] },
      values: { pageTable: count(8), positions: [48, 63], lengths: [49, 64] },
      attributes: { rotary: 'half', settledCache: true },
    },
    // A window behind sinks: released pages (−1) lie between them; the last token is not the newest key.
    {
      shapes: { q: [3, 4, 64], keyPages: [16, 4, 2, 64], pageTable: [3, 10] },
      attributes: { rotary: 'half', window: 9, sinks: 3 },
      values: {
        pageTable: [
          ...[0, -1, -1, 3, 4, 5, 6, 10, 10, 10],
          ...[7, 8, 9, -1, -1, -1, -1, -1, -1, -1],
          ...[11, -1, 12, 13, 14, 15, -1, -1, -1, -1],
        ],
        positions: [24, 10, 1],
        lengths: [25, 11, 22],
      },
    },
    // Prefixes, read once on a GPU: two groups, one of them with an empty sequence; more queries than a block takes; a head
    // that is no power of two. Then one that is not worth the while.
    {
      ...shared(
        { sequences: 10, groups: 2, shared: 9, own: 3, columns: 8192 },
        [145, 160, 0, 192, 170, 191, 150, 146, 180, 177],
        [4, 2, 128],
      ),
      attributes: { rotary: 'interleaved', rotaryDimensions: 64, settledCache: true },
    },
    {
      ...shared(
        { sequences: 70, groups: 1, shared: 20, own: 2, columns: 1024 },
        Array.from({ length: 70 }, (_, row) => 321 + (row % 31)),
        [8, 8, 64],
      ),
      attributes: { rotary: 'half' },
    },
    {
      ...shared({ sequences: 6, groups: 1, shared: 5, own: 1, columns: 8192 }, [81, 90, 96, 81, 0, 95], [4, 4, 112]),
      attributes: { rotary: 'half', scale: 0.2 },
    },
    shared({ sequences: 3, groups: 1, shared: 2, own: 1, columns: 3 }, [48, 33, 40], [4, 2, 64]),
    { shapes: { q: [0, 2, 16], keyPages: [2, 4, 2, 16], pageTable: [0, 1] } },
  ],
  rejects: [
    {
      shapes: { q: [1, 3, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 1, 264], keyPages: [1, 1, 1, 264], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], k: [1, 1, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      attributes: { rotary: 'half', rotaryDimensions: 3 },
      values: { pageTable: 0, positions: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [3, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [3, 1], prefixLengths: [2] },
      values: { pageTable: 0, positions: 0, lengths: 1, prefixLengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      attributes: { window: -1 },
      values: { pageTable: 0, positions: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      values: { pageTable: 0, positions: 0, lengths: 1 },
      inputDTypes: { positions: 'f32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [step(1, 512, 32, 32), step(8, 2048, 32, 32), step(8, 2048, 32, 2), step(64, 2048, 32, 2)],
  tolerance: { f32: 2e-5, f16: 3e-3, bf16: 2e-2 },
});
