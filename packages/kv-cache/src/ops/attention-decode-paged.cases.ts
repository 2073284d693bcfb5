import { opCases } from '@limen/tensor/testing';

import { sharedPageCount, sharedTable } from '../testing/shared-tables.js';
import { attentionDecodePaged } from './attention-decode-paged.js';

const pages = (count: number) => ({ low: 0, high: count });

/** A decode step of `sequences` sequences of `length` tokens, in pages of 16. */
function step(sequences: number, length: number, heads: number, keyHeads: number) {
  const perSequence = Math.ceil(length / 16);
  const count = sequences * perSequence;
  return {
    shapes: { q: [sequences, heads, 128], keyPages: [count, 16, keyHeads, 128], pageTable: [sequences, perSequence] },
    values: { pageTable: Array.from({ length: count }, (_, index) => index), lengths: length },
  };
}

/** Sequences that share a prefix longer than some of them, in tables so wide that a GPU reads it once. */
const forks = { sequences: 12, groups: 1, shared: 9, own: 2, columns: 4096 };

export default opCases(attentionDecodePaged, {
  test: [
    { shapes: { q: [1, 1, 1], keyPages: [1, 1, 1, 1], pageTable: [1, 1] }, values: { pageTable: 0, lengths: 1 } },
    // Ragged heads, a page size that is no power of two, an empty sequence.
    {
      shapes: { q: [3, 4, 20], keyPages: [6, 5, 2, 20], pageTable: [3, 3] },
      values: { pageTable: pages(6), lengths: [13, 0, 15] },
    },
    {
      shapes: { q: [2, 3, 11], keyPages: [4, 4, 3, 11], pageTable: [2, 2] },
      attributes: { scale: 0.3 },
      values: { pageTable: pages(4), lengths: [8, 1] },
    },
    // Many splits, most of them without work for the shorter sequences.
    {
      shapes: { q: [3, 8, 128], keyPages: [24, 16, 2, 128], pageTable: [3, 40] },
      values: { pageTable: pages(24), lengths: [611, 33, 0] },
    },
    {
      shapes: { q: [2, 2, 64], keyPages: [10, 16, 2, 64], pageTable: [2, 20] },
      values: { pageTable: pages(10), lengths: [320, 65] },
    },
    {
      shapes: { q: [1, 16, 128], keyPages: [8, 16, 1, 128], pageTable: [1, 9] },
      values: { pageTable: pages(8), lengths: [130] },
    },
    {
      shapes: { q: [2, 6, 112], keyPages: [5, 16, 2, 112], pageTable: [2, 4] },
      values: { pageTable: pages(5), lengths: [64, 50] },
    },
    {
      shapes: { q: [1, 2, 256], keyPages: [4, 8, 2, 256], pageTable: [1, 4] },
      values: { pageTable: pages(4), lengths: [31] },
    },
    {
      shapes: { q: [1, 2, 32], keyPages: [4, 8, 1, 32], pageTable: [1, 4] },
      values: { pageTable: pages(4), lengths: [29] },
    },
    {
      shapes: { q: [1, 1, 512], keyPages: [3, 4, 1, 512], pageTable: [1, 3] },
      values: { pageTable: pages(3), lengths: [9] },
    },
    // One split holds everything: it must write the zeros of an empty sequence itself.
    {
      shapes: { q: [2, 4, 64], keyPages: [2, 16, 4, 64], pageTable: [2, 1] },
      values: { pageTable: pages(2), lengths: [0, 7] },
    },
    { shapes: { q: [0, 2, 16], keyPages: [2, 4, 2, 16], pageTable: [0, 1] } },
    // Sixteen queries on one key head, ragged in every way; splits merge in a cluster, then through the workspace.
    {
      shapes: { q: [9, 32, 128], keyPages: [90, 16, 2, 128], pageTable: [9, 10] },
      values: { pageTable: pages(90), lengths: [160, 1, 0, 16, 17, 33, 159, 64, 100] },
    },
    {
      shapes: { q: [1, 20, 64], keyPages: [70, 16, 1, 64], pageTable: [1, 70] },
      values: { pageTable: pages(70), lengths: [1111] },
    },
    // Multi-head at the size of Janus, few and many sequences.
    {
      shapes: { q: [1, 32, 128], keyPages: [33, 16, 32, 128], pageTable: [1, 33] },
      values: { pageTable: pages(33), lengths: [517] },
      dtypes: ['bf16'],
    },
    {
      shapes: { q: [3, 8, 256], keyPages: [20, 32, 8, 256], pageTable: [3, 6] },
      values: { pageTable: pages(20), lengths: [190, 31, 64] },
    },
    // A window behind sinks: released pages (−1) lie between them.
    {
      shapes: { q: [2, 4, 64], keyPages: [12, 4, 2, 64], pageTable: [2, 10] },
      attributes: { window: 9, sinks: 3 },
      values: {
        pageTable: [0, -1, -1, 3, 4, 5, 6, 11, 11, 11, 7, 8, 9, -1, -1, -1, -1, -1, -1, -1],
        lengths: [25, 11],
      },
    },
    {
      shapes: { q: [2, 2, 20], keyPages: [6, 5, 1, 20], pageTable: [2, 3] },
      attributes: { window: 4 },
      values: { pageTable: [-1, 1, 2, 3, 4, 5], lengths: [13, 3] },
    },
    // Prefixes: two groups of three; one longer than some of its rows; then eleven rows over one prefix.
    {
      shapes: { q: [6, 4, 128], keyPages: [16, 16, 2, 128], pageTable: [6, 4], prefixLengths: [2] },
      values: {
        pageTable: [0, 1, 2, 3, 0, 1, 4, 5, 0, 1, 6, 7, 8, 9, 10, 11, 8, 9, 12, 13, 8, 9, 14, 15],
        lengths: [60, 33, 0, 64, 32, 47],
        prefixLengths: [32, 32],
      },
    },
    {
      shapes: { q: [11, 2, 64], keyPages: [24, 8, 2, 64], pageTable: [11, 3], prefixLengths: [1] },
      values: {
        pageTable: Array.from({ length: 33 }, (_, index) => (index % 3 < 2 ? index % 3 : 2 + Math.floor(index / 3))),
        lengths: [17, 18, 19, 20, 21, 22, 23, 24, 5, 16, 0],
        prefixLengths: [16],
      },
    },
    {
      shapes: {
        q: [12, 8, 128],
        keyPages: [sharedPageCount(forks), 16, 4, 128],
        pageTable: [12, forks.columns],
        prefixLengths: [1],
      },
      values: {
        pageTable: sharedTable(forks),
        lengths: [145, 176, 0, 150, 20, 144, 160, 161, 170, 1, 130, 151],
        prefixLengths: [144],
      },
    },
  ],
  rejects: [
    {
      shapes: { q: [1, 3, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 1, 520], keyPages: [1, 1, 1, 520], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 16], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [2, 1] },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [3, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [3, 1], prefixLengths: [2] },
      values: { pageTable: 0, lengths: 1, prefixLengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      attributes: { window: -1 },
      values: { pageTable: 0, lengths: 1 },
      throws: 'SHAPE_MISMATCH',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      inputDTypes: { keyPages: 'f16' },
      throws: 'UNSUPPORTED_DTYPE',
    },
    {
      shapes: { q: [1, 2, 8], keyPages: [1, 4, 2, 8], pageTable: [1, 1] },
      values: { pageTable: 0, lengths: 1 },
      inputDTypes: { lengths: 'f32' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: [
    step(1, 512, 32, 32),
    step(8, 2048, 32, 32),
    step(64, 2048, 32, 32),
    step(64, 2048, 32, 2),
    step(1, 1664, 32, 2),
  ],
  tolerance: { f32: 2e-5, f16: 3e-3, bf16: 2e-2 },
});
