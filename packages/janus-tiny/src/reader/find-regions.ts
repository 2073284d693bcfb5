// Finds what stands out in a picture: the background, and connected regions of one colour each.

import {
  type Background,
  backgrounds,
  type Colour,
  coloursOn,
  type Rgb,
  rgbDistance,
  rgbOfBackground,
  rgbOfColour,
} from '../world/vocabulary.js';
import { colourOfShape, isMixture, nearestColour, shareAlong } from './paint-colours.js';
import { besides, connectedParts, innerPixels, pixelAt, pixelCount } from './pixels.js';

/** A connected region of one colour. */
export interface Region {
  readonly colour: Colour;
  /** Share of every pixel of the picture that the region covers, 0 to 1; row-major. */
  readonly cover: Float32Array;
}

/** What was found. */
export interface Regions {
  readonly background: Background;
  readonly regions: readonly Region[];
}

// Distances of paints. The faintest shape is 93 from its background; noise of a drawing stays below 40.
const leastContrast = 42;
const backgroundTolerance = 45;

const leastRegionPixels = 14;
/** Pixels with neighbours of the same colour on all sides that make a part count. */
const leastInnerPixels = 4;
/** Cover at which two shapes of one colour are apart. */
const halfCover = 0.45;

/** Finds the background and the regions of a picture of 64 x 64 pixels. */
export function findRegions(data: Uint8Array): Regions {
  const { background, paint } = findBackground(data);
  const standsOut: number[] = [];
  for (let index = 0; index < pixelCount; index++) {
    if (rgbDistance(pixelAt(data, index), paint) >= leastContrast) standsOut.push(index);
  }
  const regions = connectedParts(standsOut)
    .flatMap((part) => splitByColour(data, part, background, paint))
    .flatMap((part) => splitByCover(data, part, paint))
    .filter((part) => part.length >= leastRegionPixels)
    .map((part): Region => {
      const strongest = meanOfStrongest(data, part, paint);
      return { colour: colourOfShape(strongest, background, paint), cover: coverOf(data, part, paint, strongest) };
    });
  return { background, regions };
}

// A drawing's background may be a little off; what stands out is measured from the paint that is there.
function findBackground(data: Uint8Array): { readonly background: Background; readonly paint: Rgb } {
  const alike = backgrounds.map((background) => {
    const pixels: Rgb[] = [];
    for (let index = 0; index < pixelCount; index++) {
      const pixel = pixelAt(data, index);
      if (rgbDistance(pixel, rgbOfBackground[background]) < backgroundTolerance) pixels.push(pixel);
    }
    return { background, pixels };
  });
  alike.sort((left, right) => right.pixels.length - left.pixels.length);
  const [{ background, pixels } = { background: 'white' as const, pixels: [] }] = alike;
  const median = (channel: 0 | 1 | 2) =>
    pixels.map((pixel) => pixel[channel]).sort((left, right) => left - right)[pixels.length >> 1] ??
    rgbOfBackground[background][channel];
  return { background, paint: [median(0), median(1), median(2)] };
}

// Shapes that run into each other are told apart by colour, if both colours have an inside.
function splitByColour(
  data: Uint8Array,
  part: readonly number[],
  background: Background,
  paint: Rgb,
): readonly (readonly number[])[] {
  const labels = new Map(part.map((index) => [index, nearestColour(pixelAt(data, index), coloursOn[background])]));
  const inner = new Map<Colour, number>();
  for (const [index, label] of labels) {
    if (besides(index).every((next) => labels.get(next) === label)) inner.set(label, (inner.get(label) ?? 0) + 1);
  }
  const present = [...inner].filter(([, count]) => count >= leastInnerPixels).map(([colour]) => colour);
  const colours = present.filter((colour) => !present.some((other) => other !== colour && isMixture(colour, other, paint)));
  if (colours.length < 2) return [part];
  const parts = colours.flatMap((colour) =>
    solidParts(
      part.filter((index) => {
        const pixel = pixelAt(data, index);
        return (
          nearestColour(pixel, colours) === colour && rgbDistance(pixel, rgbOfColour[colour]) < rgbDistance(pixel, paint)
        );
      }),
    ),
  );
  return parts.length < 2 ? [part] : parts;
}

// Soft edges may join two shapes of one colour by a bridge of half their strength.
function splitByCover(
  data: Uint8Array,
  part: readonly number[],
  paint: Rgb,
): readonly (readonly number[])[] {
  const cover = coverOf(data, part, paint, meanOfStrongest(data, part, paint));
  const parts = solidParts(part.filter((index) => (cover[index] ?? 0) >= halfCover));
  return parts.length < 2 ? [part] : parts;
}

function solidParts(pixels: readonly number[]): number[][] {
  return connectedParts(pixels).filter((part) => innerPixels(part) >= leastInnerPixels);
}

// The mean over the quarter of the pixels that stand out most, which lie inside the shape.
function meanOfStrongest(data: Uint8Array, part: readonly number[], paint: Rgb): Rgb {
  const strongest = part
    .map((index) => ({ pixel: pixelAt(data, index), contrast: rgbDistance(pixelAt(data, index), paint) }))
    .sort((left, right) => right.contrast - left.contrast)
    .slice(0, Math.ceil(part.length / 4));
  const mean = (channel: 0 | 1 | 2) =>
    strongest.reduce((sum, { pixel }) => sum + pixel[channel], 0) / strongest.length;
  return [mean(0), mean(1), mean(2)];
}

// How far a pixel lies on the way from the background to the strongest paint, in the part and the pixels beside it.
function coverOf(data: Uint8Array, part: readonly number[], paint: Rgb, strongest: Rgb): Float32Array {
  const cover = new Float32Array(pixelCount);
  for (const index of new Set(part.flatMap((own) => [own, ...besides(own)]))) {
    cover[index] = Math.min(Math.max(shareAlong(pixelAt(data, index), paint, strongest), 0), 1);
  }
  return cover;
}
