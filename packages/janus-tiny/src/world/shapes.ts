// The outline of every kind, as a signed distance: negative inside, in units of the shape's radius. Areas are chosen so
// that shapes of one size look alike in size.
// Source of the polygon distance: https://iquilezles.org/articles/distfunctions2d

import type { Kind } from './vocabulary.js';

type Point = readonly [number, number];

/** Distance from a point in the shape's own frame (x right, y down, unrotated) to its outline. */
type Outline = (x: number, y: number) => number;

const diamond = polygon([
  [0, -1.2],
  [0.8, 0],
  [0, 1.2],
  [-0.8, 0],
]);
const triangle = polygon(corners(3, 1.25));
const star = polygon(
  corners(10, 1.25).map(([x, y], index): Point => (index % 2 === 0 ? [x, y] : [x * 0.42, y * 0.42])),
);

const outlines: Readonly<Record<Kind, Outline>> = {
  circle: (x, y) => Math.sqrt(x * x + y * y) - 1,
  ring: (x, y) => Math.abs(Math.sqrt(x * x + y * y) - 0.84) - 0.24,
  square: (x, y) => box(x, y, 0.88, 0.88),
  diamond,
  triangle,
  star,
  cross: (x, y) => Math.min(box(x, y, 1.1, 0.36), box(x, y, 0.36, 1.1)),
};

/** How far each kind reaches from its centre, in radii. */
export const reachOf: Readonly<Record<Kind, number>> = {
  circle: 1,
  ring: 1.08,
  square: 1.25,
  diamond: 1.2,
  triangle: 1.25,
  star: 1.25,
  cross: 1.16,
};

/** Signed distance of a point, in radii, from the outline of a kind. */
export function distanceToOutline(kind: Kind, x: number, y: number): number {
  return outlines[kind](x, y);
}

function box(x: number, y: number, halfWidth: number, halfHeight: number): number {
  const right = Math.abs(x) - halfWidth;
  const below = Math.abs(y) - halfHeight;
  if (right <= 0 || below <= 0) return Math.max(right, below);
  return Math.sqrt(right * right + below * below);
}

// Corners of a regular polygon, the first one straight up.
function corners(count: number, radius: number): readonly Point[] {
  return Array.from({ length: count }, (_, index): Point => {
    const angle = (2 * Math.PI * index) / count;
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  });
}

function polygon(points: readonly Point[]): Outline {
  const edges = points.map((start, index) => {
    const end = points[(index + 1) % points.length] ?? start;
    const along: Point = [end[0] - start[0], end[1] - start[1]];
    return { start, end, along, square: along[0] ** 2 + along[1] ** 2 };
  });
  return (x, y) => {
    let nearest = Infinity;
    let inside = false;
    for (const { start, end, along, square } of edges) {
      const fromX = x - start[0];
      const fromY = y - start[1];
      const share = Math.min(Math.max((fromX * along[0] + fromY * along[1]) / square, 0), 1);
      const offX = fromX - along[0] * share;
      const offY = fromY - along[1] * share;
      nearest = Math.min(nearest, offX * offX + offY * offY);
      if (start[1] > y !== end[1] > y && fromX < (along[0] * fromY) / along[1]) inside = !inside;
    }
    return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
  };
}
