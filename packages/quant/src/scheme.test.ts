import { describe, expect, it } from 'vitest';

import { UnknownSchemeError } from './errors/unknown-scheme-error.js';
import { int8Channel, schemeNamed, schemes, storedBytes, storedShapes, type QuantizationScheme } from './scheme.js';

const int4Group: QuantizationScheme = {
  name: 'int4 in groups of 128',
  code: 'integer',
  bitsPerCode: 4,
  largestCode: 7,
  groupSize: 128,
  symmetric: true,
  storage: 'u8',
  scaleDType: 'f16',
};

describe('schemes', () => {
  it('are found by their own name', () => {
    for (const scheme of Object.values(schemes)) expect(schemeNamed(scheme.name)).toBe(scheme);
  });

  it('store one byte a weight and one f32 a row for int8-channel', () => {
    expect(storedShapes(int8Channel, [4096, 11_008])).toEqual({ values: [4096, 11_008], scales: [4096] });
    expect(storedBytes(int8Channel, [3, 5])).toBe(15 + 12);
  });

  it('can describe packed codes with a scale for each group', () => {
    expect(storedShapes(int4Group, [2, 300])).toEqual({ values: [2, 150], scales: [2, 3] });
    expect(storedBytes(int4Group, [2, 300])).toBe(300 + 12);
  });

  it.each(['int9', 'toString', ''])('throws UnknownSchemeError for "%s"', (name) => {
    expect(() => schemeNamed(name)).toThrowError(UnknownSchemeError);
    expect(() => schemeNamed(name)).toThrowError(`scheme is unknown: expected int8-channel, got ${name}.`);
  });
});
