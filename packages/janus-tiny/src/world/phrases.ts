// How things are called. One scene has one description; places, objects and lists are always worded the same way.

import { type Scene, type SceneObject } from './scene.js';
import type { Background, Place } from './vocabulary.js';

/** `in the centre`, `at the top left`. */
export function atPlace(place: Place): string {
  return place === 'centre' ? 'in the centre' : `at the ${place}`;
}

/** `on a white background`. */
export function onBackground(background: Background): string {
  return `on a ${background} background`;
}

/** `large red circle`. */
export function fullName({
  size,
  colour,
  kind,
}: Pick<SceneObject, 'size' | 'colour'> & { readonly kind: string }): string {
  return `${size} ${colour} ${kind}`;
}

/** `a large red circle`, `an orange star`. */
export function withArticle(words: string): string {
  return `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listOf(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1) ?? ''}`;
}

/** The words as a sentence of its own. */
export function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** The one description of a scene: every shape in reading order, then the background. */
export function describeScene({ background, objects }: Scene): string {
  const shapes = objects.map((object) => `${withArticle(fullName(object))} ${atPlace(object.place)}`);
  return sentence(`${listOf(shapes)} ${onBackground(background)}`);
}

/** The same words in American spelling. */
export function americanSpelling(text: string): string {
  return text.replaceAll('olour', 'olor').replaceAll('entre', 'enter').replaceAll('grey', 'gray');
}
