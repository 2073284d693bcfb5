import { describe, expect, it } from 'vitest';

import { measureOccupancy } from './occupancy.js';

describe('measureOccupancy', () => {
  it('counts what sequences leave empty in their pages', () => {
    const occupants = [
      { pages: [0, 1], length: 6 },
      { pages: [2, 3, 4], length: 1 },
    ];
    expect(measureOccupancy(occupants, 4)).toEqual({
      sequences: 2,
      tokens: 7,
      wastePerSequence: { mean: 6.5, largest: 11 },
      fragmentation: 1 - 7 / 20,
    });
  });

  it('counts a shared page once, as full as its fullest holder', () => {
    const occupants = [
      { pages: [0, 1], length: 7 },
      { pages: [0, 1], length: 5 },
    ];
    expect(measureOccupancy(occupants, 4)).toMatchObject({ tokens: 7, fragmentation: 1 / 8 });
  });

  it('leaves out pages that a window has given back', () => {
    const occupants = [{ pages: [0, -1, -1, 3], length: 14 }];
    expect(measureOccupancy(occupants, 4)).toEqual({
      sequences: 1,
      tokens: 6,
      wastePerSequence: { mean: 2, largest: 2 },
      fragmentation: 0.25,
    });
  });

  it('is zero without sequences or pages', () => {
    const nothing = { tokens: 0, wastePerSequence: { mean: 0, largest: 0 }, fragmentation: 0 };
    expect(measureOccupancy([], 4)).toEqual({ sequences: 0, ...nothing });
    expect(measureOccupancy([{ pages: [], length: 0 }], 4)).toEqual({ sequences: 1, ...nothing });
  });
});
