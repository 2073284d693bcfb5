// Requests to draw: the words, and what a drawing must show to be right.

import { atPlace, fullName, listOf, onBackground, withArticle } from './phrases.js';
import type { Random } from './random.js';
import type { Scene, SceneObject } from './scene.js';
import type { Background } from './vocabulary.js';

/** A shape that is asked for. */
export interface RequestedObject extends Pick<SceneObject, 'kind' | 'colour' | 'place'> {
  /** Undefined when any will do. */
  readonly size?: SceneObject['size'];
}

/** What a drawing must show. */
export interface DrawRequest {
  readonly objects: readonly RequestedObject[];
  /** Undefined when any will do. */
  readonly background?: Background;
}

const openings = ['Draw ', 'Please draw ', 'Paint ', 'A picture of ', 'An image of '] as const;

/** Words a request for a scene: all attributes, or without sizes, or without the background. */
export function requestDrawing(
  { background, objects }: Scene,
  random: Random,
): { readonly prompt: string; readonly request: DrawRequest } {
  const saysSize = !random.chance(0.15);
  const saysBackground = !random.chance(0.2);
  const ordered = random.chance(0.2) ? random.shuffled(objects) : objects;
  const shapes = ordered.map((object) => {
    const name = saysSize ? fullName(object) : `${object.colour} ${object.kind}`;
    return `${withArticle(name)} ${atPlace(object.place)}`;
  });
  const words = saysBackground ? `${listOf(shapes)} ${onBackground(background)}` : listOf(shapes);
  const opening = random.chance(0.5) ? random.pick(openings) : '';
  const text = opening === '' ? `${words.charAt(0).toUpperCase()}${words.slice(1)}` : opening + words;
  return {
    prompt: random.chance(0.7) ? `${text}.` : text,
    request: {
      objects: ordered.map(({ kind, colour, place, size }) =>
        saysSize ? { kind, colour, place, size } : { kind, colour, place },
      ),
      ...(saysBackground ? { background } : {}),
    },
  };
}
