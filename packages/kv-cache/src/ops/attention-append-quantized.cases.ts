import type { DType } from '@limen/tensor';
import { opCases, type OpCase } from '@limen/tensor/testing';

import { sharedPageCount, sharedTable } from '../testing/shared-tables.js';
import { attentionAppendQuantized } from './attention-append-quantized.js';

type Format = 'fp8' | 'int8' | 'int4';
const formats: readonly Format[] = ['int8', 'fp8', 'int4'];

/** Types of pages and scales of a format. */
function typesOf(format: Format): Record<string, DType> {
  const elements = { fp8: 'f8e4m3', int8: 'i8', int4: 'u8' } as const;
  const scales = format === 'int4' ? 'f16' : 'f32';
  return { keyPages: elements[format], valuePages: elements[format], keyScales: scales, valueScales: scales };
}

/** Stored vectors about as large as normally distributed ones; an int4 vector reaches from its lowest value up. */
function valuesOf(format: Format, vectors: number) {
  const elements = { fp8: undefined, int8: { low: -127, high: 128 }, int4: { low: 0, high: 256 } }[format];
  const ranges = Array.from({ length: 2 * vectors }, (_, index) => (index % 2 === 0 ? 0.1 + (index % 7) / 50 : -1.5));
  const scales = { fp8: { low: 0.2, high: 1.5 }, int8: { low: 0.002, high: 0.02 }, int4: ranges }[format];
  return { ...(elements && { keyPages: elements, valuePages: elements }), keyScales: scales, valueScales: scales };
}

interface Sizes {
  readonly q: readonly [number, number, number];
  readonly pool: readonly [pages: number, pageSize: number, keyHeads: number];
  readonly columns: number;
}

/** One case in one format. */
function stored(format: Format, { q, pool, columns }: Sizes, { values, shapes, ...rest }: Partial<OpCase>): OpCase {
  const elements = [...pool, format === 'int4' ? q[2] / 2 : q[2]];
  const scales = [...pool, format === 'int4' ? 2 : 1];
  return {
    shapes: { q, keyPages: elements, keyScales: scales, valueScales: scales, pageTable: [q[0], columns], ...shapes },
    values: { ...valuesOf(format, pool[0] * pool[1] * pool[2]), ...values },
    inputDTypes: typesOf(format),
    ...rest,
  };
}

const inEach = (sizes: Sizes, rest: Partial<OpCase>) => formats.map((format) => stored(format, sizes, rest));
const count = (length: number) => Array.from({ length }, (_, index) => index);

/** A decode step of `sequences` sequences of `length` tokens, in pages of 16. */
function step(format: Format, sequences: number, length: number, heads: number, keyHeads: number): OpCase {
  const columns = Math.ceil(length / 16);
  const sizes: Sizes = { q: [sequences, heads, 128], pool: [sequences * columns, 16, keyHeads], columns };
  const values = { pageTable: count(sequences * columns), positions: length - 1, lengths: length };
  return { ...stored(format, sizes, { values, attributes: { rotary: 'half', settledCache: true } }), dtypes: ['bf16'] };
}

/** Two groups of sequences that share a prefix, in tables so wide that a GPU reads it once. */
const forks = { sequences: 6, groups: 2, shared: 9, own: 3, columns: 16384 };

const single = { values: { pageTable: 0, positions: 0, lengths: 1 } };

export default opCases(attentionAppendQuantized, {
  test: [
    stored('int8', { q: [1, 1, 1], pool: [1, 1, 1], columns: 1 }, single),
    // Ragged heads, a page size that is no power of two, an empty sequence whose token is stored all the same.
    ...inEach(
      { q: [3, 4, 20], pool: [9, 5, 2], columns: 3 },
      {
        values: { pageTable: [4, 8, 1, 0, 2, 3, 6, 5, 7], positions: [12, 0, 14], lengths: [13, 0, 15] },
        attributes: { scale: 0.3 },
      },
    ),
    // One query on a head, then sixteen; a token that is not stored, and one that is stored beyond the length.
    ...inEach(
      { q: [2, 4, 128], pool: [80, 16, 4], columns: 40 },
      {
        values: { pageTable: count(80), positions: [610, 32], lengths: [611, 33] },
        attributes: { settledCache: true },
      },
    ),
    ...inEach(
      { q: [3, 32, 128], pool: [30, 16, 2], columns: 10 },
      { values: { pageTable: count(30), positions: [159, 5, -1], lengths: [160, 0, 17] } },
    ),
    ...inEach(
      { q: [1, 32, 64], pool: [40, 16, 2], columns: 40 },
      { values: { pageTable: count(40), positions: [638], lengths: [639] } },
    ),
    ...inEach(
      { q: [1, 2, 256], pool: [4, 16, 2], columns: 4 },
      { values: { pageTable: count(4), positions: [48], lengths: [49] } },
    ),
    ...inEach(
      { q: [1, 2, 112], pool: [4, 16, 2], columns: 4 },
      { values: { pageTable: count(4), positions: [49], lengths: [50] } },
    ),
    // A window behind sinks: released pages (−1) lie between them.
    ...inEach(
      { q: [1, 4, 64], pool: [8, 4, 2], columns: 7 },
      {
        values: { pageTable: [0, -1, -1, 3, 4, 5, 6], positions: [24], lengths: [25] },
        attributes: { window: 9, sinks: 3 },
      },
    ),
    // More queries on a head than a block takes; sixteen behind a window; then shared prefixes.
    ...inEach(
      { q: [2, 40, 128], pool: [60, 16, 2], columns: 30 },
      { values: { pageTable: count(60), positions: [470, 31], lengths: [471, 32] } },
    ),
    ...inEach(
      { q: [2, 32, 128], pool: [60, 8, 2], columns: 30 },
      {
        values: { pageTable: count(60), positions: [230, 100], lengths: [231, 101] },
        attributes: { window: 150, sinks: 5 },
      },
    ),
    ...inEach(
      { q: [6, 16, 128], pool: [sharedPageCount(forks), 16, 8], columns: forks.columns },
      {
        shapes: { prefixLengths: [2] },
        values: {
          pageTable: sharedTable(forks),
          positions: [144, 191, 160, 150, 176, -1],
          lengths: [145, 192, 161, 151, 177, 0],
          prefixLengths: 144,
        },
      },
    ),
    ...inEach(
      { q: [6, 16, 64], pool: [sharedPageCount(forks), 16, 16], columns: forks.columns },
      {
        shapes: { prefixLengths: [2] },
        values: {
          pageTable: sharedTable(forks),
          positions: [144, 191, 160, 150, 176, 149],
          lengths: [145, 192, 161, 151, 177, 150],
          prefixLengths: 144,
        },
      },
    ),
    // Rotated: in f32, because an element of a 16-bit key may round the other way.
    ...inEach(
      { q: [2, 4, 64], pool: [8, 16, 2], columns: 4 },
      {
        shapes: { rotaryPositions: [2] },
        values: { pageTable: count(8), positions: [40, 63], lengths: [41, 64], rotaryPositions: [7, 300] },
        attributes: { rotary: 'half' },
        dtypes: ['f32'],
      },
    ),
    stored('int8', { q: [0, 2, 16], pool: [2, 4, 2], columns: 1 }, {}),
  ],
  rejects: [
    { ...stored('int8', { q: [1, 3, 8], pool: [1, 4, 2], columns: 1 }, single), throws: 'SHAPE_MISMATCH' },
    {
      ...stored('int4', { q: [1, 2, 8], pool: [1, 4, 2], columns: 1 }, single),
      shapes: {
        q: [1, 2, 8],
        keyPages: [1, 4, 2, 8],
        keyScales: [1, 4, 2, 2],
        valueScales: [1, 4, 2, 2],
        pageTable: [1, 1],
      },
      throws: 'SHAPE_MISMATCH',
    },
    {
      ...stored('fp8', { q: [1, 2, 8], pool: [1, 4, 2], columns: 1 }, single),
      inputDTypes: { ...typesOf('fp8'), valuePages: 'i8' },
      throws: 'SHAPE_MISMATCH',
    },
    {
      ...stored('int8', { q: [1, 2, 8], pool: [1, 4, 2], columns: 1 }, single),
      inputDTypes: { ...typesOf('int8'), keyScales: 'bf16' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: formats.flatMap((format) => [step(format, 8, 2048, 32, 32), step(format, 8, 2048, 32, 2)]),
  tolerance: { f32: 2e-5, f16: 4e-3, bf16: 2e-2 },
});
