// What was read, in the words of the world.

import { atPlace, fullName, listOf, onBackground, sentence, withArticle } from '../world/phrases.js';
import type { Background, Colour, Kind, Place, Size } from '../world/vocabulary.js';

/** A shape to name: one that was read, or one that was asked for. */
export interface NamedShape {
  /** Left out or undefined: `shape`. */
  readonly kind?: Kind | undefined;
  readonly colour: Colour;
  /** Left out: not said. */
  readonly size?: Size | undefined;
  readonly place: Place;
}

/** `a large red circle at the top left and an orange shape in the centre`; `nothing` where there is none. */
export function nameShapes(shapes: readonly NamedShape[]): string {
  const names = shapes.map(({ kind = 'shape', colour, size, place }) => {
    const name = size === undefined ? `${colour} ${kind}` : fullName({ size, colour, kind });
    return `${withArticle(name)} ${atPlace(place)}`;
  });
  return names.length === 0 ? 'nothing' : listOf(names);
}

/** A reading as a sentence, worded as descriptions are. */
export function describeReading({
  background,
  objects,
}: {
  readonly background: Background;
  readonly objects: readonly NamedShape[];
}): string {
  return sentence(`${nameShapes(objects)} ${onBackground(background)}`);
}
