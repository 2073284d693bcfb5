// Judges a drawing: does it show what was asked for, no more and no less?

import type { RgbImage } from '@limen/models-janus';

import type { DrawRequest, RequestedObject } from '../world/draw-request.js';
import { cellSize, columnOf, type Place, rowOf } from '../world/vocabulary.js';
import { type Reading, type ReadObject, readPicture } from './read-picture.js';

/** What is right and wrong about a drawing. */
export interface Judgement {
  /** Every shape that was asked for is there, with its kind, its colour and its place, and nothing else is. */
  readonly right: boolean;
  readonly missing: readonly RequestedObject[];
  readonly extra: readonly ReadObject[];
  /** Whether the shapes found have the sizes that were asked for. Not part of `right`. */
  readonly sizesRight: boolean;
  /** Whether the background is the one that was asked for. Not part of `right`. */
  readonly backgroundRight: boolean;
  readonly reading: Reading;
}

/** How far a centre may lie outside of its cell, pixels. */
const tolerance = cellSize / 3;

/**
 * Judges a drawing by its pixels.
 *
 * @param image - 64 x 64 pixels
 * @throws {WorldError} the picture has another size
 */
export function judgeDrawing(image: RgbImage, request: DrawRequest): Judgement {
  const reading = readPicture(image);
  const { pairs, missing } = matchObjects(request.objects, reading.objects);
  const extra = reading.objects.filter((object) => !pairs.some((pair) => pair.found === object));
  return {
    right: missing.length === 0 && extra.length === 0,
    missing,
    extra,
    sizesRight: pairs.every(({ wanted, found }) => wanted.size === undefined || wanted.size === found.size),
    backgroundRight: request.background === undefined || request.background === reading.background,
    reading,
  };
}

interface Pair {
  readonly wanted: RequestedObject;
  readonly found: ReadObject;
}

interface Matching {
  readonly pairs: readonly Pair[];
  readonly missing: readonly RequestedObject[];
}

// Tries every way to pair, which for four shapes are few: a greedy choice could give one shape the place of its twin.
function matchObjects(wanted: readonly RequestedObject[], found: readonly ReadObject[]): Matching {
  const [first, ...rest] = wanted;
  if (first === undefined) return { pairs: [], missing: [] };
  const without = matchObjects(rest, found);
  let best: Matching = { pairs: without.pairs, missing: [first, ...without.missing] };
  for (const object of found) {
    if (object.kind !== first.kind || object.colour !== first.colour || !isAt(object, first.place)) continue;
    const others = matchObjects(
      rest,
      found.filter((other) => other !== object),
    );
    if (others.missing.length < best.missing.length)
      best = { pairs: [{ wanted: first, found: object }, ...others.pairs], missing: others.missing };
  }
  return best;
}

function isAt({ x, y }: ReadObject, place: Place): boolean {
  return isInCell(x, columnOf(place)) && isInCell(y, rowOf(place));
}

function isInCell(coordinate: number, cell: number): boolean {
  return coordinate >= cell * cellSize - tolerance && coordinate < (cell + 1) * cellSize + tolerance;
}
