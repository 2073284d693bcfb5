// Pixels by index, the pixels beside them, and parts that hang together.

import { pictureSize, type Rgb } from '../world/vocabulary.js';

export const pixelCount = pictureSize * pictureSize;

/** The red, green and blue of one pixel. */
export function pixelAt(data: Uint8Array, index: number): Rgb {
  return [data[index * 3] ?? 0, data[index * 3 + 1] ?? 0, data[index * 3 + 2] ?? 0];
}

/** The four pixels beside one; fewer at the edge of the picture. */
export function besides(index: number): number[] {
  const column = index % pictureSize;
  const neighbours: number[] = [];
  if (column > 0) neighbours.push(index - 1);
  if (column < pictureSize - 1) neighbours.push(index + 1);
  if (index >= pictureSize) neighbours.push(index - pictureSize);
  if (index < pixelCount - pictureSize) neighbours.push(index + pictureSize);
  return neighbours;
}

/** Parts of the marked pixels that hang together by sides; corners do not connect. */
export function connectedParts(marked: Iterable<number>): number[][] {
  const left = new Set(marked);
  const parts: number[][] = [];
  for (const start of left) {
    left.delete(start);
    const part = [start];
    // The part grows while it is walked through.
    for (const index of part) {
      for (const next of besides(index)) if (left.delete(next)) part.push(next);
    }
    parts.push(part);
  }
  return parts;
}

/** How many pixels of a part have pixels of the part on all sides. */
export function innerPixels(part: readonly number[]): number {
  const members = new Set(part);
  return part.filter((index) => besides(index).every((next) => members.has(next))).length;
}
