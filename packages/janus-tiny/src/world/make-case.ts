// Makes cases: a picture, its description, questions about it, a request to draw it. The same seed gives the same case on
// every machine.

import type { RgbImage } from '@limen/models-janus';

import { type DrawRequest, requestDrawing } from './draw-request.js';
import { makeScene } from './make-scene.js';
import { paintScene } from './paint.js';
import { americanSpelling, describeScene } from './phrases.js';
import { type Question, type QuestionKind, questionKinds, type QuestionMaker } from './question.js';
import { askColour, askKind, askPosition, askSize } from './questions/attributes.js';
import { askRelation } from './questions/relation.js';
import { askBackground, askCount, askPresence } from './questions/whole.js';
import { Random } from './random.js';
import { hasHeldOutPair, type Scene } from './scene.js';
import { type Split, worldSeed } from './seeds.js';

/** Everything there is to learn or to check about one scene. */
export interface Case {
  readonly scene: Scene;
  /** 64 x 64 pixels. */
  readonly image: RgbImage;
  /** The one description of the scene. */
  readonly description: string;
  /** Any of these asks for the description. */
  readonly describeQuestion: string;
  /** At most one of each kind. */
  readonly questions: readonly Question[];
  readonly drawPrompt: string;
  /** What a drawing of `drawPrompt` must show. */
  readonly drawRequest: DrawRequest;
  /** Whether the scene has a combination that never occurs in training. */
  readonly heldOut: boolean;
}

/** Questions that ask for the description. The first is what a model is asked when nobody asks anything. */
export const describeQuestions = [
  'Describe this image.',
  'Describe the picture.',
  'What is in this image?',
  'What does this picture show?',
  'What do you see?',
] as const;

// Each part of a case has a stream of random numbers of its own, so that new questions do not change the pictures.
const streams = { scene: 1, noise: 2, questions: 3, drawing: 4 } as const;

/** How often questions and requests are in American spelling. */
const americanShare = 0.1;

const makers: Readonly<Record<QuestionKind, QuestionMaker>> = {
  kind: askKind,
  colour: askColour,
  size: askSize,
  count: askCount,
  position: askPosition,
  relation: askRelation,
  presence: askPresence,
  background: askBackground,
};

/**
 * Makes a case.
 *
 * @param seed - number of the case in its split, from 0
 * @throws {WorldError} the split has no such seed
 */
export function makeCase(split: Split, seed: number): Case {
  const place = worldSeed(split, seed);
  const scene = makeScene(new Random(place, streams.scene), split === 'test');
  const heldOut = hasHeldOutPair(scene);
  const random = new Random(place, streams.questions);
  const questions = questionKinds.flatMap((kind): Question[] => {
    const asked = makers[kind]({ scene, random, heldOutAllowed: heldOut });
    if (asked === undefined) return [];
    return [{ kind, text: spelled(random, asked.text), answer: asked.answer }];
  });
  const drawing = new Random(place, streams.drawing);
  const { prompt, request } = requestDrawing(scene, drawing);
  return {
    scene,
    image: paintScene(scene, new Random(place, streams.noise)),
    description: describeScene(scene),
    describeQuestion: random.chance(0.5) ? describeQuestions[0] : random.pick(describeQuestions),
    questions,
    drawPrompt: spelled(drawing, prompt),
    drawRequest: request,
    heldOut,
  };
}

function spelled(random: Random, text: string): string {
  return random.chance(americanShare) ? americanSpelling(text) : text;
}
