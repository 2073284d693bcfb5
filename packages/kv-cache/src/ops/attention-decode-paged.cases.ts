import { opCases } from '@limen/tensor/testing';

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
