// What the demonstration is about: a picture, what is asked about it, and what is drawn; with the right answers, where the
// picture comes from the world of coloured shapes.

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { DrawRequest, Question } from '@limen/janus-tiny';
import type { RgbImage } from '@limen/models-janus';

import { UsageError } from '../errors/usage-error.js';

/** What is shown to the model. */
export interface DemoCase {
  /** File of the picture. */
  readonly file: string;
  readonly image: RgbImage;
  /** The right description; undefined for a picture of one's own. */
  readonly description: string | undefined;
  readonly questions: readonly Question[];
  readonly drawPrompt: string;
  /** What a drawing must show; undefined for a prompt of one's own. */
  readonly drawRequest: DrawRequest | undefined;
}

/** What may be given in place of the case's own. */
export interface DemoInputs {
  readonly image?: string | undefined;
  readonly prompt?: string | undefined;
  /** Number of the test case. */
  readonly seed: number;
  /** Where the picture of the case is written. */
  readonly pictureFile: string;
}

// Of the kinds of questions that a case has, the first two of these are asked.
const tellingKinds: readonly Question['kind'][] = ['colour', 'position', 'kind', 'count', 'relation', 'size'];

/**
 * @throws {UsageError} the picture given does not exist
 * @throws {ImageError} it cannot be read
 */
export async function demoCase({ image, prompt, seed, pictureFile }: DemoInputs): Promise<DemoCase> {
  const [{ makeCase, seedRanges }, { encodeImage, loadImage }] = await Promise.all([
    import('@limen/janus-tiny'),
    import('@limen/models-janus'),
  ]);
  if (image !== undefined && !existsSync(image)) {
    throw new UsageError(`demo: image does not exist: ${image}. Name a file with --image.`);
  }
  const made = makeCase('test', seed % seedRanges.test.count);
  const drawing = prompt === undefined ? made : { drawPrompt: prompt, drawRequest: undefined };
  const { drawPrompt, drawRequest } = drawing;
  if (image !== undefined) {
    const pixels = await loadImage(image);
    return { file: image, image: pixels, description: undefined, questions: [], drawPrompt, drawRequest };
  }
  // The model sees a file like any other, not the pixels in memory.
  await mkdir(dirname(pictureFile), { recursive: true });
  await writeFile(pictureFile, await encodeImage(made.image));
  const { description, questions } = made;
  return {
    file: pictureFile,
    image: await loadImage(pictureFile),
    description,
    questions: tellingQuestions(questions),
    drawPrompt,
    drawRequest,
  };
}

/** Two questions of different kinds. */
export function tellingQuestions(questions: readonly Question[]): Question[] {
  return tellingKinds.flatMap((kind) => questions.filter((question) => question.kind === kind)).slice(0, 2);
}
