import { describe, expect, it } from 'vitest';

import { halfBlocks } from './half-blocks.js';

const rgb = (width: number, height: number, pixels: readonly number[]) => ({
  width,
  height,
  data: Uint8Array.from(pixels),
});

describe('halfBlocks', () => {
  it('puts two rows of pixels into one line', () => {
    const image = rgb(1, 2, [255, 0, 0, 0, 0, 255]);
    expect(halfBlocks(image, 10)).toBe('\u001b[38;2;255;0;0m\u001b[48;2;0;0;255m▀\u001b[0m');
  });

  it('leaves the background of an odd last row alone', () => {
    const image = rgb(1, 1, [1, 2, 3]);
    expect(halfBlocks(image, 10)).toBe('\u001b[38;2;1;2;3m\u001b[49m▀\u001b[0m');
  });

  it('averages pictures that are too wide', () => {
    const image = rgb(2, 2, [0, 0, 0, 100, 0, 0, 50, 0, 0, 250, 0, 0]);
    expect(halfBlocks(image, 1)).toContain('38;2;100;0;0m');
  });

  it('has the shape of the picture', () => {
    const lines = halfBlocks(rgb(200, 100, new Array<number>(200 * 100 * 3).fill(9)), 40).split('\n');
    expect(lines).toHaveLength(10);
    for (const line of lines) expect(line.match(/▀/g)).toHaveLength(40);
  });
});
