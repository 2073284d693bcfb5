import type { DType } from '@limen/tensor';
import { opCases, type OpCase } from '@limen/tensor/testing';

import { attentionDecodeQuantized } from './attention-decode-quantized.js';

const pages = (count: number) => ({ low: 0, high: count });

type Format = 'fp8' | 'int8' | 'int4';

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
function stored(format: Format, { q, pool, columns }: Sizes, { values, attributes, shapes }: Partial<OpCase>): OpCase {
  const elements = [...pool, format === 'int4' ? q[2] / 2 : q[2]];
  const scales = [...pool, format === 'int4' ? 2 : 1];
  return {
    shapes: { q, keyPages: elements, keyScales: scales, valueScales: scales, pageTable: [q[0], columns], ...shapes },
    values: { ...valuesOf(format, pool[0] * pool[1] * pool[2]), ...values },
    inputDTypes: typesOf(format),
    ...(attributes && { attributes }),
  };
}

const formats: readonly Format[] = ['int8', 'fp8', 'int4'];
const inEach = (sizes: Sizes, rest: Partial<OpCase>) => formats.map((format) => stored(format, sizes, rest));

/** A decode step of `sequences` sequences of `length` tokens, in pages of 16. */
function step(format: Format, sequences: number, length: number, heads: number, keyHeads: number): OpCase {
  const columns = Math.ceil(length / 16);
  const count = sequences * columns;
  const sizes: Sizes = { q: [sequences, heads, 128], pool: [count, 16, keyHeads], columns };
  const values = { pageTable: Array.from({ length: count }, (_, index) => index), lengths: length };
  return { ...stored(format, sizes, { values }), dtypes: ['bf16'] };
}

export default opCases(attentionDecodeQuantized, {
  test: [
    stored('int8', { q: [1, 1, 1], pool: [1, 1, 1], columns: 1 }, { values: { pageTable: 0, lengths: 1 } }),
    // Ragged heads, a page size that is no power of two, an empty sequence.
    ...inEach(
      { q: [3, 4, 20], pool: [6, 5, 2], columns: 3 },
      { values: { pageTable: pages(6), lengths: [13, 0, 15] }, attributes: { scale: 0.3 } },
    ),
    // One query on a head, at the size of Janus; sixteen, at the size of GLM; many splits.
    ...inEach(
      { q: [2, 4, 128], pool: [80, 16, 4], columns: 40 },
      { values: { pageTable: pages(80), lengths: [611, 33] } },
    ),
    ...inEach(
      { q: [3, 32, 128], pool: [30, 16, 2], columns: 10 },
      { values: { pageTable: pages(30), lengths: [160, 0, 17] } },
    ),
    ...inEach({ q: [2, 6, 64], pool: [10, 8, 2], columns: 9 }, { values: { pageTable: pages(10), lengths: [72, 31] } }),
    ...inEach({ q: [1, 2, 256], pool: [4, 16, 2], columns: 4 }, { values: { pageTable: pages(4), lengths: [49] } }),
    ...inEach({ q: [1, 3, 32], pool: [4, 16, 3], columns: 4 }, { values: { pageTable: pages(4), lengths: [50] } }),
    ...inEach({ q: [1, 2, 112], pool: [4, 16, 2], columns: 4 }, { values: { pageTable: pages(4), lengths: [50] } }),
    // A window behind sinks, and a shared prefix.
    ...inEach(
      { q: [1, 4, 64], pool: [8, 4, 2], columns: 7 },
      {
        values: { pageTable: [0, -1, -1, 3, 4, 5, 6], lengths: [25] },
        attributes: { window: 9, sinks: 3 },
      },
    ),
    ...inEach(
      { q: [3, 4, 128], pool: [9, 16, 4], columns: 3 },
      {
        shapes: { prefixLengths: [1] },
        values: { pageTable: [0, 1, 2, 0, 1, 3, 0, 1, 4], lengths: [48, 33, 40], prefixLengths: [32] },
      },
    ),
    stored('int8', { q: [0, 2, 16], pool: [2, 4, 2], columns: 1 }, {}),
  ],
  rejects: [
    {
      ...stored('int8', { q: [1, 3, 8], pool: [1, 4, 2], columns: 1 }, { values: { pageTable: 0, lengths: 1 } }),
      throws: 'SHAPE_MISMATCH',
    },
    {
      ...stored('int4', { q: [1, 2, 8], pool: [1, 4, 2], columns: 1 }, { values: { pageTable: 0, lengths: 1 } }),
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
      ...stored('fp8', { q: [1, 2, 8], pool: [1, 4, 2], columns: 1 }, { values: { pageTable: 0, lengths: 1 } }),
      inputDTypes: { ...typesOf('fp8'), valuePages: 'i8' },
      throws: 'SHAPE_MISMATCH',
    },
    {
      ...stored('int8', { q: [1, 2, 8], pool: [1, 4, 2], columns: 1 }, { values: { pageTable: 0, lengths: 1 } }),
      inputDTypes: { ...typesOf('int8'), keyScales: 'bf16' },
      throws: 'UNSUPPORTED_DTYPE',
    },
  ],
  bench: formats.flatMap((format) => [
    step(format, 8, 2048, 32, 32),
    step(format, 64, 2048, 32, 2),
    step(format, 8, 2048, 32, 2),
  ]),
  tolerance: { f32: 2e-5, f16: 4e-3, bf16: 2e-2 },
});
