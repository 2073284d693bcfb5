import { SeededRandom } from '@limen/tensor/testing';
import { describe, expect, test } from 'vitest';

import { decodeVector, encodeVector, type StoredElements } from './storage-arithmetic.js';
import type { ScaledCacheDType } from './storage-formats.js';

const formats: readonly ScaledCacheDType[] = ['fp8', 'int8', 'int4'];

function elementsFor(format: ScaledCacheDType, size: number): StoredElements {
  if (format === 'fp8') return new Float32Array(size);
  return format === 'int8' ? new Int8Array(size) : new Uint8Array(size / 2);
}

/** A vector after a stay in the format, and what was stored. */
function roundTrip(format: ScaledCacheDType, source: Float32Array) {
  const elements = elementsFor(format, source.length);
  const scales = new Float32Array(format === 'int4' ? 2 : 1);
  const decoded = new Float32Array(source.length);
  encodeVector(format, source, elements, scales);
  decodeVector(format, elements, scales, decoded);
  return { elements, scales, decoded };
}

/** Largest error the format allows for one element of a vector. */
function errorBound(format: ScaledCacheDType, source: Float32Array, value: number): number {
  const largest = Math.max(...source.map(Math.abs));
  const spread = Math.max(...source) - Math.min(...source);
  const slack = 1e-6 * largest;
  if (format === 'int8') return largest / 254 + slack;
  // e4m3 keeps four significant bits; below 2^-6 of its unit its steps are all 2^-9.
  if (format === 'fp8') return Math.max(Math.abs(value) / 16, ((largest / 448) * 2 ** -9) / 2) + slack;
  // Half a step, and what rounding scale (up to fifteen times) and lowest to f16 moves.
  return spread / 30 + (spread + largest) * 2 ** -11 + 15 * 2 ** -25 + slack;
}

describe.each(formats)('%s', (format) => {
  test('gives every element back to within half a step', () => {
    const random = new SeededRandom(7);
    for (const size of [2, 10, 64, 128]) {
      for (const [magnitude, shift] of [
        [1, 0],
        [1e-3, 0],
        [300, 40],
        [0.02, 5],
      ] as const) {
        const source = random.normals(size).map((value) => value * magnitude + shift);
        const { decoded } = roundTrip(format, source);
        for (const [index, value] of source.entries()) {
          expect(Math.abs((decoded[index] ?? NaN) - value)).toBeLessThanOrEqual(errorBound(format, source, value));
        }
      }
    }
  });

  test('stores zeros as zeros with scale 0', () => {
    const { elements, scales, decoded } = roundTrip(format, new Float32Array(8));
    expect([...elements, ...scales, ...decoded].every((value) => value === 0)).toBe(true);
  });

  test('stores a vector too small for a scale as zeros', () => {
    const { decoded } = roundTrip(format, new Float32Array([1e-38, -1e-40, 0, 1e-45]));
    expect([...decoded].every((value) => value === 0)).toBe(true);
  });

  test('changes nothing when it stores what it gave back', () => {
    // Not for fp8: the largest element fixes the scale anew, and the others move by a rounding of the scale.
    if (format === 'fp8') return;
    const source = new Float32Array([-127, 3, 64, 127, -1, 0, 12, 99]);
    const once = roundTrip(format, source);
    const twice = roundTrip(format, once.decoded);
    expect(twice.elements).toEqual(once.elements);
  });
});

test('int8 rounds halves to even', () => {
  const { elements, scales } = roundTrip('int8', new Float32Array([127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, -127]));
  expect(scales[0]).toBe(1);
  expect([...elements]).toEqual([127, 0, 2, 2, 0, -2, -2, -127]);
});

test('fp8 keeps the largest element at 448 units', () => {
  const { elements, scales } = roundTrip('fp8', new Float32Array([-896, 2, 4, 1]));
  expect(scales[0]).toBe(2);
  expect([...elements]).toEqual([-448, 1, 2, 0.5]);
});

test('int4 keeps the even element of a pair in the low nibble', () => {
  const { elements, scales, decoded } = roundTrip('int4', new Float32Array([-1, 14, 3, 0.5]));
  expect([...scales]).toEqual([1, -1]);
  // 0.5 lies half-way between nibbles 1 and 2.
  expect([...elements]).toEqual([0xf0, 0x24]);
  expect([...decoded]).toEqual([-1, 14, 3, 1]);
});

test('int4 stores equal values through their lowest', () => {
  const { elements, scales, decoded } = roundTrip('int4', new Float32Array([2.5, 2.5, 2.5, 2.5]));
  expect([...elements, ...scales]).toEqual([0, 0, 0, 2.5]);
  expect([...decoded]).toEqual([2.5, 2.5, 2.5, 2.5]);
});

test('int4 saturates rather than overflowing f16', () => {
  const { scales, decoded } = roundTrip('int4', new Float32Array([-1e6, 1e6]));
  expect([...scales]).toEqual([65504, -65504]);
  expect([...decoded].every(Number.isFinite)).toBe(true);
});
