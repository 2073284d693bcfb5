import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  fromBFloat16Bits,
  fromFloat16Bits,
  fromFloat8Bits,
  toBFloat16Bits,
  toFloat16Bits,
  toFloat8Bits,
  decodeFloat16,
  encodeFloat16,
  encodeBFloat16,
  encodeFloat8,
} from './number-formats.js';

const formats = [
  { name: 'bf16', bits: 16, to: toBFloat16Bits, from: fromBFloat16Bits, encode: encodeBFloat16, saturates: false },
  { name: 'f16', bits: 16, to: toFloat16Bits, from: fromFloat16Bits, encode: encodeFloat16, saturates: false },
  { name: 'f8e4m3', bits: 8, to: toFloat8Bits, from: fromFloat8Bits, encode: encodeFloat8, saturates: true },
];

describe.each(formats)('$name', ({ bits, to, from, encode, saturates }) => {
  const all = Array.from({ length: 2 ** bits }, (_, pattern) => pattern);
  const values = all.map(from);

  test('every value survives the way there and back', () => {
    for (const pattern of all) {
      const value = values[pattern] ?? NaN;
      if (Number.isNaN(value)) expect(Number.isNaN(from(to(value)))).toBe(true);
      else expect(to(value)).toBe(pattern);
    }
  });

  test('a number becomes the nearest value, and the even one of two that are as near', () => {
    const finite = all.filter((pattern) => Number.isFinite(values[pattern]));
    const positive = finite
      .filter((pattern) => pattern < 2 ** (bits - 1))
      .toSorted((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: positive.length - 2 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (index, share) => {
          const [low = 0, high = 0] = [positive[index], positive[index + 1]];
          const [a = 0, b = 0] = [values[low], values[high]];
          const value = Math.fround(a + (b - a) * share);
          const middle = (a + b) / 2;
          const expected = value < middle ? low : value > middle ? high : low % 2 === 0 ? low : high;
          expect(to(value)).toBe(expected);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('signs, infinities and NaN stay what they are', () => {
    expect(Object.is(from(to(-0)), -0)).toBe(true);
    expect(from(to(NaN))).toBeNaN();
    const largest = Math.max(...values.filter(Number.isFinite));
    expect(from(to(Infinity))).toBe(saturates ? largest : Infinity);
    expect(from(to(-Infinity))).toBe(saturates ? -largest : -Infinity);
  });

  test('whole arrays are converted as single numbers are', () => {
    const numbers = Float32Array.from({ length: 999 }, (_, index) => Math.sin(index) * 2 ** ((index % 40) - 20));
    expect([...encode(numbers)]).toEqual([...numbers].map(to));
  });
});

test('half precision decodes a whole array by table', () => {
  expect([...decodeFloat16(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff))]).toEqual([1, -2, 2 ** -24, 65504]);
});
