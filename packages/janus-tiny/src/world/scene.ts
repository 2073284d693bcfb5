// A scene: what a picture shows, as data.

import type { Background, Colour, Kind, Place, Size } from './vocabulary.js';

/** A shape in a scene. */
export interface SceneObject {
  readonly kind: Kind;
  readonly colour: Colour;
  readonly size: Size;
  readonly place: Place;
  /** Centre, pixels from the left edge. */
  readonly x: number;
  /** Centre, pixels from the top edge. */
  readonly y: number;
  /** Pixels; see {@link radiusOfSize}. */
  readonly radius: number;
  /** Radians, clockwise. */
  readonly rotation: number;
}

/** One to four shapes that do not touch, in reading order of their places; no two in one place. */
export interface Scene {
  readonly background: Background;
  readonly objects: readonly SceneObject[];
}

/** Combinations that occur in tests only, to see whether the parts were learnt rather than the pairs. */
export const heldOutPairs: readonly (readonly [Colour, Kind])[] = [
  ['red', 'star'],
  ['orange', 'ring'],
  ['yellow', 'square'],
  ['green', 'diamond'],
  ['cyan', 'triangle'],
  ['blue', 'cross'],
  ['purple', 'circle'],
  ['pink', 'star'],
];

/** Whether a colour and a kind are together only in tests. */
export function isHeldOut(colour: Colour, kind: Kind): boolean {
  return heldOutPairs.some((pair) => pair[0] === colour && pair[1] === kind);
}

/** Whether a scene shows a combination that training never does. */
export function hasHeldOutPair({ objects }: Scene): boolean {
  return objects.some(({ colour, kind }) => isHeldOut(colour, kind));
}
