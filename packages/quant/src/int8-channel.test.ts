import { ShapeMismatchError } from '@limen/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { NotFiniteError } from './errors/not-finite-error.js';
import { packInt8Channel, roundHalfToEven, unpackInt8Channel } from './int8-channel.js';

const matrix = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 17 })).chain(([rows, columns]) =>
  fc.record({
    rows: fc.constant(rows),
    columns: fc.constant(columns),
    weights: fc.float32Array({
      minLength: rows * columns,
      maxLength: rows * columns,
      noNaN: true,
      min: -(2 ** 127),
      max: 2 ** 127,
    }),
  }),
);
// Weights stay below 2¹²⁷: 127 times a scale that was rounded up must not overflow.
// Below this magnitude an f32 scale has lost its precision or is zero.
const smallest = 127 * 2 ** -126;

describe('packInt8Channel', () => {
  it('maps the largest weight of each row to ±127', () => {
    const { values, scales } = packInt8Channel(Float32Array.of(127, -63.4, 0, 1, -254, 3), 2, 3);
    expect([...values]).toEqual([127, -63, 0, 0, -127, 2]);
    expect([...scales]).toEqual([1, 2]);
  });

  it('rounds halves to even', () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.49, -3.51].map(roundHalfToEven).map((value) => value + 0)).toEqual([
      0, 2, 2, 0, -2, -2, 3, -4,
    ]);
    const { values } = packInt8Channel(Float32Array.of(127, 0.5, 1.5, -2.5), 1, 4);
    expect([...values]).toEqual([127, 0, 2, -2]);
  });

  it('gives a row of zeros scale 0 and codes 0', () => {
    const packed = packInt8Channel(Float32Array.of(0, -0, 0, 5, 5, 5), 2, 3);
    expect([...packed.scales]).toEqual([0, Math.fround(5 / 127)]);
    expect([...unpackInt8Channel(packed, 2, 3).slice(0, 3)]).toEqual([0, 0, 0]);
  });

  it('handles matrices without rows or columns', () => {
    expect(packInt8Channel(new Float32Array(0), 0, 4).scales).toHaveLength(0);
    expect([...packInt8Channel(new Float32Array(0), 2, 0).scales]).toEqual([0, 0]);
  });

  it.each([NaN, Infinity, -Infinity])('throws NotFiniteError with the place of %d', (value) => {
    const weights = Float32Array.of(1, 2, 3, 4, value, 6);
    expect(() => packInt8Channel(weights, 2, 3)).toThrowError(NotFiniteError);
    try {
      packInt8Channel(weights, 2, 3);
    } catch (error) {
      expect(error).toMatchObject({ code: 'NOT_FINITE', row: 1, column: 1 });
    }
  });

  it('throws ShapeMismatchError when the arrays are not [N, K] and [N]', () => {
    expect(() => packInt8Channel(new Float32Array(5), 2, 3)).toThrowError(ShapeMismatchError);
    const [values, scales] = [new Int8Array(6), new Float32Array(2)];
    expect(() => unpackInt8Channel({ values, scales }, 2, 2)).toThrowError('expected 4 elements, got 6');
    expect(() => unpackInt8Channel({ values, scales }, 3, 2)).toThrowError('scales has the wrong length: expected 3');
  });

  it('errs by at most half a scale', () => {
    fc.assert(
      fc.property(matrix, ({ weights, rows, columns }) => {
        const packed = packInt8Channel(weights, rows, columns);
        const restored = unpackInt8Channel(packed, rows, columns);
        weights.forEach((weight, index) => {
          const scale = packed.scales[Math.floor(index / columns)] ?? NaN;
          const error = Math.abs(weight - (restored[index] ?? NaN));
          // Beside the half step: the rounding of scale, quotient and product, each 2⁻²⁴ of the weight.
          const bound = scale / 2 + Math.abs(weight) * 2 ** -22 + smallest;
          if (!(error <= bound)) expect(error).toBeLessThanOrEqual(bound);
        });
      }),
      { seed: 11, numRuns: 2000 },
    );
  });

  it('finds the same codes again when its own result is requantised', () => {
    fc.assert(
      fc.property(matrix, ({ weights, rows, columns }) => {
        const once = packInt8Channel(weights, rows, columns);
        const twice = packInt8Channel(unpackInt8Channel(once, rows, columns), rows, columns);
        for (let row = 0; row < rows; row += 1) {
          const [first, second] = [once.scales[row] ?? NaN, twice.scales[row] ?? NaN];
          if (first > 0 && first < 2 ** -126) continue;
          expect(Math.abs(first - second)).toBeLessThanOrEqual(first * 2 ** -23);
          const codesOf = ({ values }: typeof once) => [...values.subarray(row * columns, (row + 1) * columns)];
          expect(codesOf(twice)).toEqual(codesOf(once));
        }
      }),
      { seed: 12, numRuns: 2000 },
    );
  });

  it('turns negated weights into negated codes', () => {
    fc.assert(
      fc.property(matrix, ({ weights, rows, columns }) => {
        const [plain, negated] = [weights, weights.map((weight) => -weight)].map((each) =>
          packInt8Channel(each, rows, columns),
        );
        expect(negated?.scales).toEqual(plain?.scales);
        expect([...(negated?.values ?? [])]).toEqual([...(plain?.values ?? [])].map((code) => 0 - code));
      }),
      { seed: 13, numRuns: 500 },
    );
  });
});
