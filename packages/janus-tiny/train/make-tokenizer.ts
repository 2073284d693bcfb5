// Trains the tokenizer on what the world says and writes its files into model/:
// node --import tsx --conditions=limen-source packages/janus-tiny/train/make-tokenizer.ts

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { conversationPieces, drawingPieces, janusTokens } from '@limen/models-janus';

import { makeCase } from '../src/index.js';
import { trainBytePairs } from './byte-pair-trainer.js';

const vocabularySize = 512;
const trainingCases = 20_000;

// Answers count more than questions, so that nearly all are one token. The conversation format stands before every
// question; were it counted each time, its words would take the places of the world's.
const textWeight = 2;
const answerWeight = 3;
const formatWeight = 1800;

const folder = dirname(fileURLToPath(import.meta.url));
const model = join(folder, '../model');
const structure = join(folder, '../../../fixtures/golden/janus-a');

const specialTokens = Object.values(janusTokens);
const firstSpecialId = vocabularySize - specialTokens.length;

// GPT-2's alphabet: bytes that print stand for themselves, the others for characters from U+0100 on.
const alphabet: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(prints ? byte : next++);
  });
})();

// What the tokenizer's own steps do to English: words and signs take one space before them along, digits stand alone.
const wordPattern = /[\r\n]|\s?[A-Za-z]+|\s?[^\sA-Za-z0-9]+|\d|\s/g;

function countWords(): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (text: string, weight: number) => {
    for (const [word] of text.matchAll(wordPattern)) counts.set(word, (counts.get(word) ?? 0) + weight);
  };
  for (let seed = 0; seed < trainingCases; seed++) {
    const { description, describeQuestion, questions, drawPrompt } = makeCase('train', seed);
    add(description, textWeight);
    add(describeQuestion, textWeight);
    for (const { text, answer } of questions) {
      add(text, textWeight);
      add(answer, answerWeight);
    }
    add(drawPrompt, textWeight);
  }
  const pieces = [...conversationPieces([{ role: 'user', content: [{ type: 'image' }] }]), ...drawingPieces('')];
  for (const piece of pieces) if (typeof piece === 'string') add(piece, formatWeight);
  return counts;
}

function spelled(word: string): string {
  return [...new TextEncoder().encode(word)].map((byte) => alphabet[byte] ?? '').join('');
}

function readJson(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(structure, name), 'utf8')) as Record<string, unknown>;
}

function writeJson(name: string, value: unknown): void {
  writeFileSync(join(model, name), `${JSON.stringify(value, null, 2)}\n`);
}

const counts = countWords();
const merges = trainBytePairs(
  new Map([...counts].map(([word, count]) => [spelled(word), count])),
  firstSpecialId - alphabet.length,
);
// Characters come in the order of their codes, as in every vocabulary of this kind.
const tokens = [...[...alphabet].sort(), ...new Set(merges.map(({ left, right }) => left + right))];

const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const tokenizer = readJson('tokenizer.json');
const bosId = firstSpecialId + specialTokens.indexOf(janusTokens.bos);
writeJson('tokenizer.json', {
  ...tokenizer,
  added_tokens: specialTokens.map((content, index) => ({ id: firstSpecialId + index, content, ...flags })),
  post_processor: {
    ...(tokenizer.post_processor as object),
    special_tokens: { [janusTokens.bos]: { id: janusTokens.bos, ids: [bosId], tokens: [janusTokens.bos] } },
  },
  model: {
    ...(tokenizer.model as object),
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: merges.map(({ left, right }) => [left, right]),
  },
});
writeJson('tokenizer_config.json', {
  ...readJson('tokenizer_config.json'),
  added_tokens_decoder: Object.fromEntries(
    specialTokens.map((content, index) => [String(firstSpecialId + index), { content, ...flags }]),
  ),
  model_max_length: 1024,
});
writeJson('special_tokens_map.json', readJson('special_tokens_map.json'));

console.log(`${tokens.length} tokens and ${specialTokens.length} special ones in ${model}`);
