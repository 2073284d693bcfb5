// A case as a sample of the training data: the texts exactly as the model will be asked.

import { conversationPrompt, drawingPrompt } from '@limen/models-janus';

import type { Case } from '../src/index.js';

/** One line of samples.jsonl; FORMATS.md says what the texts are. */
export interface Sample {
  readonly understanding: readonly { readonly prompt: string; readonly answer: string }[];
  readonly drawing: string;
}

/** Writes the texts of a case. */
export function sampleOf({ description, describeQuestion, questions, drawPrompt }: Case): Sample {
  return {
    understanding: [{ text: describeQuestion, answer: description }, ...questions].map(({ text, answer }) => ({
      prompt: conversationPrompt([{ role: 'user', content: [{ type: 'image' }, { type: 'text', text }] }]),
      answer,
    })),
    drawing: drawingPrompt(drawPrompt),
  };
}
