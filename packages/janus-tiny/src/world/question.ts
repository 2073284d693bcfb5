// What a question is, and how it speaks of one shape so that no other one can be meant.

import { atPlace } from './phrases.js';
import type { Random } from './random.js';
import { isHeldOut, type Scene, type SceneObject } from './scene.js';
import type { Colour, Kind } from './vocabulary.js';

/** What a question is about. */
export const questionKinds = [
  'kind',
  'colour',
  'size',
  'count',
  'position',
  'relation',
  'presence',
  'background',
] as const;
export type QuestionKind = (typeof questionKinds)[number];

/** A question with exactly one right answer. */
export interface Question {
  readonly kind: QuestionKind;
  readonly text: string;
  /** One to three words in lower case, or a digit. */
  readonly answer: string;
}

/** What a question is made from. */
export interface QuestionContext {
  readonly scene: Scene;
  readonly random: Random;
  /** Whether a question may name a combination that is not in the picture and never occurs in training. */
  readonly heldOutAllowed: boolean;
}

/** A question and its answer. */
export interface Asked {
  readonly text: string;
  readonly answer: string;
}

/** Makes a question about a scene; undefined if the scene leaves none to ask. */
export type QuestionMaker = (context: QuestionContext) => Asked | undefined;

/** `yes` or `no`. */
export function yesOrNo(value: boolean): 'yes' | 'no' {
  return value ? 'yes' : 'no';
}

/** Whether only one shape of the scene passes. */
export function isOnly({ objects }: Scene, passes: (object: SceneObject) => boolean): boolean {
  return objects.filter(passes).length === 1;
}

/** The attributes that a reference does not give away. */
export type Hidden = 'kind' | 'colour' | 'size' | 'place';

/**
 * Ways to name one shape and no other: `star`, `red star`, `red shape`, `large shape`, `shape at the top left`.
 *
 * @param hidden - what the question asks for
 * @returns without `the`; may be empty
 */
export function namesOf(scene: Scene, object: SceneObject, hidden: readonly Hidden[]): string[] {
  const { kind, colour, size, place } = object;
  const shown = (...attributes: readonly Hidden[]) => attributes.every((attribute) => !hidden.includes(attribute));
  const names: string[] = [];
  const kindTells = isOnly(scene, (other) => other.kind === kind);
  if (shown('kind') && kindTells) names.push(kind);
  if (shown('colour') && isOnly(scene, (other) => other.colour === colour)) names.push(`${colour} shape`);
  if (shown('kind', 'colour') && isOnly(scene, (other) => other.kind === kind && other.colour === colour))
    names.push(`${colour} ${kind}`);
  if (shown('size') && isOnly(scene, (other) => other.size === size)) names.push(`${size} shape`);
  if (shown('place')) names.push(`shape ${atPlace(place)}`);
  return names;
}

/**
 * Picks a value so that rare ones are asked for as often as common ones, then a shape that has it.
 *
 * @param valueOf - the answer that a shape gives
 */
export function pickByValue<Value>(
  random: Random,
  objects: readonly SceneObject[],
  valueOf: (object: SceneObject) => Value,
): SceneObject | undefined {
  const value = random.maybePick([...new Set(objects.map(valueOf))]);
  return random.maybePick(objects.filter((object) => valueOf(object) === value));
}

/**
 * Picks a wrong value, half of the time one that another shape of the scene has.
 *
 * @param right - not picked
 */
export function pickWrong<Value>(
  random: Random,
  right: Value,
  all: readonly Value[],
  inScene: readonly Value[],
): Value | undefined {
  const tempting = inScene.filter((value) => value !== right && all.includes(value));
  const others = all.filter((value) => value !== right);
  return random.chance(0.5) && tempting.length > 0 ? random.maybePick(tempting) : random.maybePick(others);
}

/** Whether a question may say a combination that is not in the picture. */
export function mayName({ heldOutAllowed }: QuestionContext, colour: Colour, kind: Kind): boolean {
  return heldOutAllowed || !isHeldOut(colour, kind);
}
