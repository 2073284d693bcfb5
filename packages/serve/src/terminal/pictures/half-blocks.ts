// Pictures as text: each character is an upper half block, whose foreground and background are two pixels.

import { type RgbPixels, shrunk } from './scale-picture.js';

/** The picture as lines of text, at most `columns` wide; larger pictures are averaged, smaller ones stay as they are. */
export function halfBlocks(image: RgbPixels, columns: number): string {
  const { width, height, data } = shrunk(image, Math.max(1, columns));
  const colour = (x: number, y: number) => data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3).join(';');
  const lines: string[] = [];
  for (let row = 0; row < height; row += 2) {
    let line = '';
    for (let column = 0; column < width; column++) {
      const lower = row + 1 < height ? `\u001b[48;2;${colour(column, row + 1)}m` : '\u001b[49m';
      line += `\u001b[38;2;${colour(column, row)}m${lower}▀`;
    }
    lines.push(`${line}\u001b[0m`);
  }
  return lines.join('\n');
}
