import { describe, expect, it } from 'vitest';

import { besideEachOther, enlarged, type RgbPixels, shrunk } from './scale-picture.js';

const grey = (width: number, height: number, levels: readonly number[]): RgbPixels => ({
  width,
  height,
  data: Uint8Array.from(levels.flatMap((level) => [level, level, level])),
});
const levels = ({ data }: RgbPixels) => [...data].filter((_, index) => index % 3 === 0);

describe('enlarged', () => {
  it('makes a square of every pixel', () => {
    const larger = enlarged(grey(2, 2, [1, 2, 3, 4]), 2);
    expect([larger.width, larger.height]).toEqual([4, 4]);
    expect(levels(larger)).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
  });

  it('keeps the channels of a pixel together', () => {
    expect([...enlarged({ width: 1, height: 1, data: Uint8Array.of(1, 2, 3) }, 2).data]).toEqual(
      [0, 1, 2, 3].flatMap(() => [1, 2, 3]),
    );
  });
});

describe('shrunk', () => {
  it('averages what a pixel stands for', () => {
    const smaller = shrunk(grey(4, 2, [0, 10, 100, 200, 20, 30, 100, 200]), 2);
    expect([smaller.width, smaller.height]).toEqual([2, 1]);
    expect(levels(smaller)).toEqual([15, 150]);
  });

  it('leaves small pictures alone', () => {
    const image = grey(2, 1, [1, 2]);
    expect(shrunk(image, 2)).toBe(image);
  });
});

describe('besideEachOther', () => {
  it('puts pictures in a row with a gap', () => {
    const row = besideEachOther([grey(2, 2, [1, 2, 3, 4]), grey(2, 2, [5, 6, 7, 8])]);
    expect(row && [row.width, row.height]).toEqual([5, 2]);
    expect(row && levels(row)).toEqual([1, 2, 0, 5, 6, 3, 4, 0, 7, 8]);
  });

  it('leaves one picture as it is', () => {
    const image = grey(1, 1, [1]);
    expect(besideEachOther([image])).toBe(image);
    expect(besideEachOther([])).toBeUndefined();
  });
});
