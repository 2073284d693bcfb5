// Reads a picture of the world: background and shapes, from the pixels alone and always the same way. No model is
// involved, so that it can judge one.

import type { RgbImage } from '@limen/models-janus';

import { WorldError } from '../errors/world-error.js';
import {
  type Background,
  cellSize,
  type Colour,
  type Kind,
  pictureSize,
  type Place,
  places,
  radiusOfSize,
  type Size,
  sizes,
} from '../world/vocabulary.js';
import { findRegions } from './find-regions.js';
import { fitShape } from './fit-shape.js';

/** A shape that was found. */
export interface ReadObject {
  /** Undefined for a region that resembles no shape. */
  readonly kind: Kind | undefined;
  readonly colour: Colour;
  readonly size: Size;
  readonly place: Place;
  /** Centre, pixels. */
  readonly x: number;
  readonly y: number;
  /** How well the region fits the shape, 0 to 1. */
  readonly likeness: number;
}

/** What a picture shows. */
export interface Reading {
  readonly background: Background;
  /** In reading order of places. */
  readonly objects: readonly ReadObject[];
}

/** Below this a region is no shape of the world. */
const leastLikeness = 0.75;

/**
 * Reads a picture.
 *
 * @param image - 64 x 64 pixels
 * @throws {WorldError} the picture has another size
 */
export function readPicture({ width, height, data }: RgbImage): Reading {
  if (width !== pictureSize || height !== pictureSize || data.length !== pictureSize * pictureSize * 3) {
    throw new WorldError(
      'PICTURE_SIZE_INVALID',
      `readPicture: image has the wrong size: expected ${pictureSize} x ${pictureSize} pixels of 3 bytes, got ${width} x ${height} and ${data.length} bytes. Pass a picture of the world.`,
      { width, height },
    );
  }
  const { background, regions } = findRegions(data);
  const objects = regions.flatMap(({ colour, cover }): ReadObject[] => {
    const shape = fitShape(cover);
    if (shape === undefined) return [];
    const { kind, x, y, radius, likeness } = shape;
    const known = likeness >= leastLikeness ? kind : undefined;
    return [{ kind: known, colour, size: nearestSize(radius), place: placeOf(x, y), x, y, likeness }];
  });
  objects.sort((left, right) => places.indexOf(left.place) - places.indexOf(right.place));
  return { background, objects };
}

function nearestSize(radius: number): Size {
  let nearest: Size = 'small';
  for (const size of sizes) {
    // Sizes are apart by factors.
    const further = Math.abs(Math.log(radius / radiusOfSize[nearest])) - Math.abs(Math.log(radius / radiusOfSize[size]));
    if (further > 0) nearest = size;
  }
  return nearest;
}

function placeOf(x: number, y: number): Place {
  const cell = (coordinate: number) => Math.min(Math.max(Math.floor(coordinate / cellSize), 0), 2);
  return places[cell(y) * 3 + cell(x)] ?? 'centre';
}
