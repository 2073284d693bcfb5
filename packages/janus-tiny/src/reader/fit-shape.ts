// Tells which shape a region is: draws every kind at its place, turned a little each way, and takes the one that differs
// least.

import { distanceToOutline, reachOf } from '../world/shapes.js';
import { type Kind, kinds, pictureSize } from '../world/vocabulary.js';

/** The shape that a region resembles most. */
export interface FittedShape {
  readonly kind: Kind;
  /** Centre, pixels. */
  readonly x: number;
  readonly y: number;
  /** Pixels, as in {@link radiusOfSize}. */
  readonly radius: number;
  /** From 1 (the very shape) down to 0 (as different as no shape at all). */
  readonly likeness: number;
}

const rotations: readonly number[] = [-12, -6, 0, 6, 12].map((degrees) => (degrees * Math.PI) / 180);
const noRotation: readonly number[] = [0];

/** Edges that are tried: sharp as painted and soft as in a blurred drawing, in place and moved in or out a little. */
const edges = [1, 2].flatMap((width) => [-0.05, 0, 0.05].map((shift) => ({ width, shift })));

/** Area of every kind at radius 1. */
const areaOf = Object.fromEntries(kinds.map((kind) => [kind, measureArea(kind)])) as Record<Kind, number>;

/**
 * Fits a shape to a region.
 *
 * @param cover - share of every pixel that the region covers, row-major
 * @returns undefined for a region of no area
 */
export function fitShape(cover: Float32Array): FittedShape | undefined {
  let area = 0;
  let energy = 0;
  let x = 0;
  let y = 0;
  cover.forEach((share, index) => {
    area += share;
    energy += share * share;
    x += share * ((index % pictureSize) + 0.5);
    y += share * (Math.floor(index / pictureSize) + 0.5);
  });
  if (area === 0) return undefined;
  x /= area;
  y /= area;
  let best: FittedShape | undefined;
  for (const kind of kinds) {
    const radius = Math.sqrt(area / areaOf[kind]);
    for (const rotation of kind === 'circle' || kind === 'ring' ? noRotation : rotations) {
      const likeness = 1 - difference(cover, energy, { kind, x, y, radius, rotation }) / energy;
      if (best === undefined || likeness > best.likeness) best = { kind, x, y, radius, likeness };
    }
  }
  return best;
}

interface Pose {
  readonly kind: Kind;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly rotation: number;
}

// Sum of squared differences between the region and a shape, with the edge that suits best.
function difference(cover: Float32Array, energy: number, { kind, x, y, radius, rotation }: Pose): number {
  const cosine = Math.cos(rotation) / radius;
  const sine = Math.sin(rotation) / radius;
  const reach = radius * reachOf[kind] + 1.5;
  const right = Math.min(pictureSize - 1, Math.floor(x + reach));
  const bottom = Math.min(pictureSize - 1, Math.floor(y + reach));
  // Outside the frame the shape is empty, so what the region has there counts in full.
  let outside = energy;
  const sums = new Float64Array(edges.length);
  for (let row = Math.max(0, Math.floor(y - reach)); row <= bottom; row++) {
    for (let column = Math.max(0, Math.floor(x - reach)); column <= right; column++) {
      const offX = column + 0.5 - x;
      const offY = row + 0.5 - y;
      const share = cover[row * pictureSize + column] ?? 0;
      const distance = distanceToOutline(kind, cosine * offX + sine * offY, cosine * offY - sine * offX) * radius;
      outside -= share * share;
      for (let index = 0; index < edges.length; index++) {
        const { width = 1, shift = 0 } = edges[index] ?? {};
        const drawn = Math.min(Math.max(0.5 - (distance - shift * radius) / width, 0), 1);
        sums[index] = (sums[index] ?? 0) + (share - drawn) ** 2;
      }
    }
  }
  return Math.min(...sums) + outside;
}

function measureArea(kind: Kind): number {
  const steps = 200;
  const reach = reachOf[kind];
  let inside = 0;
  for (let row = 0; row < steps; row++) {
    for (let column = 0; column < steps; column++) {
      const x = ((column + 0.5) / steps) * 2 - 1;
      const y = ((row + 0.5) / steps) * 2 - 1;
      if (distanceToOutline(kind, x * reach, y * reach) < 0) inside++;
    }
  }
  return (inside / steps ** 2) * (2 * reach) ** 2;
}
