// Compares what the reader read with the scene that was painted.

import type { Reading, Scene } from '../src/index.js';

/** Where reading and scene differ. */
export interface Comparison {
  /** Kinds, colours and places of all shapes are those of the scene. */
  readonly objectsRight: boolean;
  /** The same, with sizes. */
  readonly sizesRight: boolean;
  readonly backgroundRight: boolean;
  /** For people; empty if the shapes are right. */
  readonly difference: string;
}

/** Compares a reading with its scene. */
export function compareReading(scene: Scene, reading: Reading): Comparison {
  const named = (objects: Scene['objects'] | Reading['objects']) =>
    objects.map(({ colour, kind, place }) => `${colour} ${kind ?? 'blob'} ${place}`).join(', ');
  const sized = (objects: Scene['objects'] | Reading['objects']) => objects.map(({ size }) => size).join(', ');
  const wanted = named(scene.objects);
  const found = named(reading.objects);
  const objectsRight = wanted === found;
  return {
    objectsRight,
    sizesRight: objectsRight && sized(scene.objects) === sized(reading.objects),
    backgroundRight: scene.background === reading.background,
    difference: objectsRight ? '' : `expected ${wanted}; read ${found}`,
  };
}
