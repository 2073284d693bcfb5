import type { DType } from '@limen/tensor';
import { opCases } from '@limen/tensor/testing';

import { convertPages } from './convert-pages.js';

/** Floats that every format of 16 bits holds exactly, so that references need not round. */
const exact = (count: number) => Array.from({ length: count }, (_, index) => ((index * 37) % 255) / 8 - 15);
const formats: readonly DType[] = ['f32', 'f16', 'bf16', 'f8e4m3', 'i8', 'u8'];
const isScaled = (dtype: DType) => !['f32', 'f16', 'bf16'].includes(dtype);

/** Shapes and types of a conversion of vectors of `size` elements, `leading` of them. */
function geometry(from: DType, to: DType, leading: readonly number[], size: number) {
  const width = (dtype: DType) => (dtype === 'u8' ? size / 2 : size);
  const count = (dtype: DType) => (dtype === 'u8' ? 2 : 1);
  const typeOfScales = (dtype: DType): DType => (dtype === 'u8' ? 'f16' : 'f32');
  return {
    shapes: {
      source: [...leading, width(from)],
      ...(isScaled(from) ? { sourceScales: [...leading, count(from)] } : {}),
      pages: [...leading, width(to)],
      ...(isScaled(to) ? { scales: [...leading, count(to)] } : {}),
    },
    dtypes: [from],
    inputDTypes: { pages: to, sourceScales: typeOfScales(from), scales: typeOfScales(to) },
  };
}

function conversion(from: DType, to: DType, leading: readonly number[], size: number) {
  const elements = leading.reduce((product, extent) => product * extent, size);
  return {
    ...geometry(from, to, leading, size),
    values: {
      source: isScaled(from) ? { low: from === 'u8' ? 0 : -100, high: 100 } : exact(elements),
      sourceScales: { low: 0.01, high: 0.1 },
      pages: 1,
    },
  };
}

/** A pool of 1024 pages of 16 tokens, 32 heads of 128 elements. */
const pool = (from: DType, to: DType) => geometry(from, to, [1024, 16, 32], 128);

const small = { source: [2, 4, 1, 8], pages: [2, 4, 1, 8] };

export default opCases(convertPages, {
  test: [
    conversion('f32', 'f16', [1, 1, 1], 1),
    // Every format to every format, in whole words; then vectors that leave lanes idle, and the loop over elements.
    ...formats.flatMap((from) => formats.map((to) => conversion(from, to, [3, 4, 2], 64))),
    ...formats.map((from) => conversion(from, 'u8', [2, 5, 3], 112)),
    ...formats.map((to) => conversion('i8', to, [2, 5, 3], 26)),
    conversion('bf16', 'f8e4m3', [2, 3, 1], 264),
    conversion('bf16', 'i8', [0, 4, 2], 64),
  ],
  rejects: [
    { shapes: { ...small, pages: [2, 4, 1, 16] }, inputDTypes: { pages: 'f32' }, throws: 'SHAPE_MISMATCH' },
    { shapes: { ...small, pages: [3, 4, 1, 8] }, inputDTypes: { pages: 'f32' }, throws: 'SHAPE_MISMATCH' },
    { shapes: small, inputDTypes: { pages: 'i8' }, values: { pages: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: small, dtypes: ['f8e4m3'], inputDTypes: { pages: 'f32' }, throws: 'SHAPE_MISMATCH' },
    {
      shapes: { ...small, sourceScales: [2, 4, 1, 1] },
      inputDTypes: { pages: 'f32' },
      throws: 'SHAPE_MISMATCH',
    },
    { shapes: small, inputDTypes: { pages: 'i32' }, values: { pages: 0 }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [pool('bf16', 'f8e4m3'), pool('bf16', 'u8'), pool('f8e4m3', 'bf16'), pool('i8', 'u8')],
  // Results of 16 bits are compared with numbers that were not rounded.
  tolerance: { f32: 0, f16: 5e-4, bf16: 4e-3 },
});
