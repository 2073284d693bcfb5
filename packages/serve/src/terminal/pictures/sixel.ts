// Pictures in sixels, as terminals since the VT340 know them: a palette of up to 256 colours, then bands of six lines,
// each written colour by colour. A character says which of six pixels below each other have the colour.

import { medianCut } from './median-cut.js';
import type { RgbPixels } from './scale-picture.js';

const bandHeight = 6;
const paletteSize = 256;

/** The bytes that show a picture in its own size. */
export function sixelPicture(image: RgbPixels): string {
  const { palette, indices } = indexed(image);
  // Colours are in percent.
  const percent = (colour: number, shift: number) => Math.round((((colour >> shift) & 255) * 100) / 255);
  const colours = palette.map(
    (colour, index) => `#${index};2;${percent(colour, 16)};${percent(colour, 8)};${percent(colour, 0)}`,
  );
  const bands: string[] = [];
  for (let top = 0; top < image.height; top += bandHeight) bands.push(band(image, indices, top));
  // 1;1: pixels are square. Every pixel is set, so the background (0;1: left alone) does not matter.
  return `\u001bP0;1;0q"1;1;${image.width};${image.height}${colours.join('')}${bands.join('-')}\u001b\\`;
}

/** Six lines of the picture, one pass per colour; `$` goes back to the left. */
function band({ width, height }: RgbPixels, indices: Uint8Array, top: number): string {
  const rows = Math.min(bandHeight, height - top);
  const masks = new Map<number, Uint8Array>();
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      const index = indices[(top + row) * width + x] ?? 0;
      let mask = masks.get(index);
      if (mask === undefined) masks.set(index, (mask = new Uint8Array(width)));
      mask[x] = (mask[x] ?? 0) | (1 << row);
    }
  }
  return [...masks].map(([index, mask]) => `#${index}${runLengths(mask)}`).join('$');
}

/** Sixels of one colour; four and more equal ones are written as a count. */
function runLengths(mask: Uint8Array): string {
  let written = '';
  for (let start = 0; start < mask.length;) {
    let end = start;
    while (end < mask.length && mask[end] === mask[start]) end++;
    const sixel = String.fromCharCode(63 + (mask[start] ?? 0));
    written += end - start > 3 ? `!${end - start}${sixel}` : sixel.repeat(end - start);
    start = end;
  }
  return written;
}

function indexed({ width, height, data }: RgbPixels) {
  const counts = new Map<number, number>();
  const colourAt = (at: number) => ((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
  for (let at = 0; at < data.length; at += 3) counts.set(colourAt(at), (counts.get(colourAt(at)) ?? 0) + 1);
  const standIns = medianCut(counts, paletteSize);
  const palette = [...new Set(standIns.values())];
  const indexOf = new Map(palette.map((colour, index) => [colour, index]));
  const indices = new Uint8Array(width * height);
  for (let pixel = 0; pixel < indices.length; pixel++) {
    indices[pixel] = indexOf.get(standIns.get(colourAt(pixel * 3)) ?? 0) ?? 0;
  }
  return { palette, indices };
}
