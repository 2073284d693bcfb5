// Puts every question of every case to a model.

import type { AnswerRecord, Case, TextPair } from '@limen/janus-tiny';
import { encodeImage, type ChatRequest, type JanusModel } from '@limen/models-janus';

import { inBatches, type QualityOptions } from './batches.js';

/** One question about one picture. */
export interface Query {
  readonly text: string;
  readonly expected: string;
  /** Undefined for the description. */
  readonly kind: AnswerRecord['kind'] | undefined;
  readonly heldOut: boolean;
  readonly picture: Uint8Array;
}

/** Every question of some cases, the one for the description first. */
export async function queriesOf(cases: readonly Case[]): Promise<Query[]> {
  const queries: Query[] = [];
  for (const { image, questions, description, describeQuestion, heldOut } of cases) {
    const picture = await encodeImage(image);
    queries.push({ text: describeQuestion, expected: description, kind: undefined, heldOut, picture });
    for (const { kind, text, answer } of questions) queries.push({ text, expected: answer, kind, heldOut, picture });
  }
  return queries;
}

/** A query as a conversation, answered by the most likely tokens. */
export function requestOf({ text, picture, kind }: Query): ChatRequest {
  return {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'image', image: picture },
          { type: 'text', text },
        ],
      },
    ],
    temperature: 0,
    maxNewTokens: kind === undefined ? 160 : 16,
  };
}

/** Answers and descriptions beside the right ones. */
export async function askEverything(model: JanusModel, cases: readonly Case[], { batch }: QualityOptions) {
  const queries = await queriesOf(cases);
  // Long answers together and short ones together: a batch runs until its last answer ends.
  const isDescription = ({ kind }: Query) => kind === undefined;
  const ordered = [...queries.filter((query) => !isDescription(query)), ...queries.filter(isDescription)];
  const texts = await inBatches('questions', ordered, batch, async (part) => {
    const answers = await model.chatBatch(part.map(requestOf));
    return answers.map(({ text }) => text);
  });
  const answers: AnswerRecord[] = [];
  const descriptions: TextPair[] = [];
  for (const [index, { kind, expected, heldOut }] of ordered.entries()) {
    const text = texts[index] ?? '';
    if (kind === undefined) descriptions.push({ text, reference: expected });
    else answers.push({ kind, answer: text, expected, heldOut });
  }
  return { answers, descriptions };
}
