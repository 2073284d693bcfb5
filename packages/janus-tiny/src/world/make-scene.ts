// Makes scenes: draws attributes, then looks for room.

import { WorldError } from '../errors/world-error.js';
import type { Random } from './random.js';
import { isHeldOut, type Scene, type SceneObject } from './scene.js';
import { reachOf } from './shapes.js';
import {
  backgrounds,
  cellSize,
  type Colour,
  coloursOn,
  columnOf,
  type Kind,
  kinds,
  pictureSize,
  places,
  radiusOfSize,
  rowOf,
  type Size,
  sizes,
} from './vocabulary.js';

const largestRotation = (12 * Math.PI) / 180;

/** Pixels between a centre and the border of its cell, so that a place has one name. */
const cellMargin = 3;
/** Pixels between a shape and the edge of the picture. */
const edgeMargin = 1;
/** Pixels between two shapes, at least. */
const leastGap = 2.5;

// Sizes are kept for some attempts before they are drawn anew, since large shapes fit less often.
const attemptsPerSizes = 40;
const mostAttempts = 4000;

/**
 * Makes a scene.
 *
 * @param heldOutAllowed - whether combinations of {@link heldOutPairs} may occur
 * @throws {WorldError} no room was found; no seed is known for which this happens
 */
export function makeScene(random: Random, heldOutAllowed: boolean): Scene {
  const background = random.pick(backgrounds);
  const count = 1 + random.below(4);
  const pairs = drawPairs(random, count, coloursOn[background], heldOutAllowed);
  let drawnSizes: readonly Size[] = [];
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    if (attempt % attemptsPerSizes === 0) drawnSizes = pairs.map(() => random.pick(sizes));
    const chosen = random.shuffled(places);
    const objects: SceneObject[] = [];
    for (const [index, [colour, kind]] of pairs.entries()) {
      const size = drawnSizes[index] ?? 'small';
      const object = placeObject(random, { colour, kind, size, place: chosen[index] ?? 'centre' }, objects);
      if (object === undefined) break;
      objects.push(object);
    }
    if (objects.length < count) continue;
    objects.sort((left, right) => places.indexOf(left.place) - places.indexOf(right.place));
    return { background, objects };
  }
  throw new WorldError(
    'SCENE_TOO_CROWDED',
    `makeScene: shapes do not fit: expected room within ${mostAttempts} attempts, got none. Choose another seed.`,
  );
}

// Shapes repeat a kind or a colour now and then, so that counting and telling apart are worth asking for.
function drawPairs(
  random: Random,
  count: number,
  allowed: readonly Colour[],
  heldOutAllowed: boolean,
): readonly (readonly [Colour, Kind])[] {
  const pairs: (readonly [Colour, Kind])[] = [];
  while (pairs.length < count) {
    const [earlierColour, earlierKind] = random.maybePick(pairs) ?? [];
    const kind = earlierKind !== undefined && random.chance(0.3) ? earlierKind : random.pick(kinds);
    const colour =
      earlierColour !== undefined && random.chance(0.25) ? earlierColour : (random.maybePick(allowed) ?? 'red');
    if (heldOutAllowed || !isHeldOut(colour, kind)) pairs.push([colour, kind]);
  }
  return pairs;
}

function placeObject(
  random: Random,
  { colour, kind, size, place }: Pick<SceneObject, 'colour' | 'kind' | 'size' | 'place'>,
  others: readonly SceneObject[],
): SceneObject | undefined {
  const radius = radiusOfSize[size] * random.between(0.96, 1.04);
  const rotation = random.between(-largestRotation, largestRotation);
  const reach = radius * reachOf[kind];
  const coordinate = (cell: number) => {
    const least = Math.max(cell * cellSize + cellMargin, reach + edgeMargin);
    const most = Math.min((cell + 1) * cellSize - cellMargin, pictureSize - reach - edgeMargin);
    return random.between(least, most);
  };
  for (let attempt = 0; attempt < 8; attempt++) {
    const x = coordinate(columnOf(place));
    const y = coordinate(rowOf(place));
    const free = others.every(
      (other) => Math.hypot(other.x - x, other.y - y) >= reach + other.radius * reachOf[other.kind] + leastGap,
    );
    if (free) return { kind, colour, size, place, x, y, radius, rotation };
  }
  return undefined;
}
