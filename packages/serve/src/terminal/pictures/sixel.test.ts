import { describe, expect, it } from 'vitest';

import { decodeSixels } from '../../testing/decode-sixel.js';
import { testPicture } from '../../testing/test-pictures.js';
import { medianCut } from './median-cut.js';
import { sixelPicture } from './sixel.js';

const percent = (value: number) => Math.round((value * 100) / 255);

describe('sixelPicture', () => {
  it.each([
    [20, 12],
    [7, 13],
    [1, 1],
    [64, 64],
  ])('of %i × %i pixels in few colours decodes to every pixel, in bands of six lines', (width, height) => {
    const image = testPicture(width, height);
    const decoded = decodeSixels(sixelPicture(image));
    expect(decoded).toMatchObject({ width, height, bands: Math.ceil(height / 6) });
    expect([...(decoded?.percents ?? [])]).toEqual([...image.data].map(percent));
  });

  it('of more colours than a palette holds comes close everywhere', () => {
    const image = testPicture(64, 64, 'noise');
    const decoded = decodeSixels(sixelPicture(image));
    expect(decoded?.paletteSize).toBe(256);
    const distances = [...image.data].map((value, at) => Math.abs(percent(value) - (decoded?.percents[at] ?? -999)));
    // A box of a cube cut 256 times is about 1/6 wide, and its mean at most some more than half of that away.
    expect(Math.max(...distances)).toBeLessThan(20);
    expect(distances.reduce((sum, distance) => sum + distance, 0) / distances.length).toBeLessThan(6);
  });

  it('is exact to the byte for one red pixel above a blue one', () => {
    const image = { width: 1, height: 2, data: Uint8Array.of(255, 0, 0, 0, 0, 255) };
    expect(sixelPicture(image)).toBe('\u001bP0;1;0q"1;1;1;2#0;2;100;0;0#1;2;0;0;100#0@$#1A\u001b\\');
  });

  it('counts what repeats', () => {
    const image = { width: 5, height: 1, data: new Uint8Array(15) };
    expect(sixelPicture(image)).toContain('#0!5@\u001b');
  });
});

describe('medianCut', () => {
  it('keeps colours that are few enough', () => {
    expect([
      ...medianCut(
        new Map([
          [5, 1],
          [0xffffff, 9],
        ]),
        2,
      ),
    ]).toEqual([
      [5, 5],
      [0xffffff, 0xffffff],
    ]);
  });

  it('joins what is close, weighted by pixels', () => {
    const standIns = medianCut(
      new Map([
        [0x100000, 3],
        [0x140000, 1],
        [0xf00000, 4],
      ]),
      2,
    );
    expect(standIns.get(0x100000)).toBe(0x110000);
    expect(standIns.get(0x140000)).toBe(0x110000);
    expect(standIns.get(0xf00000)).toBe(0xf00000);
  });
});
