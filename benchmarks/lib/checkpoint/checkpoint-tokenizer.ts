// A tokenizer with as many entries as a model has: that of janus-tiny, its vocabulary filled up with made-up words. It
// means nothing, and takes as long to read as a published one.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { janusTinyFolder } from '@limen/janus-tiny';
import { type JanusConfig, janusTokens } from '@limen/models-janus';
import { SeededRandom } from '@limen/tensor/testing';

interface AddedToken {
  readonly id: number;
  readonly content: string;
}

interface TokenizerJson {
  readonly added_tokens: readonly AddedToken[];
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (readonly [string, string])[];
  };
}

const longestWord = 14;

/** tokenizer.json for a model, as JSON. */
export function checkpointTokenizer({ tokens }: JanusConfig): object {
  const text = readFileSync(join(janusTinyFolder(), 'tokenizer.json'), 'utf8');
  const base = JSON.parse(text) as TokenizerJson;
  const vocabulary = { ...base.model.vocab };
  const merges = [...base.model.merges];
  const words = Object.keys(vocabulary);
  const random = new SeededRandom(1);
  const pick = () => words[Math.floor(random.uniform() * words.length)] ?? '';
  while (words.length < tokens.bos) {
    const pair = [pick(), pick()] as const;
    const word = pair.join('');
    if (word.length > longestWord || Object.hasOwn(vocabulary, word)) continue;
    vocabulary[word] = words.length;
    words.push(word);
    merges.push(pair);
  }
  const afterAll = Math.max(...Object.values(tokens)) + 1;
  const ids: Readonly<Record<string, number>> = {
    [janusTokens.bos]: tokens.bos,
    [janusTokens.eos]: tokens.eos,
    [janusTokens.pad]: tokens.pad,
    [janusTokens.beginOfImage]: tokens.beginOfImage,
    [janusTokens.endOfImage]: tokens.endOfImage,
    [janusTokens.imagePlaceholder]: tokens.imagePlaceholder,
    [janusTokens.user]: afterAll,
    [janusTokens.assistant]: afterAll + 1,
  };
  return {
    ...base,
    added_tokens: base.added_tokens.map((token) => ({ ...token, id: ids[token.content] ?? token.id })),
    model: { ...base.model, vocab: vocabulary, merges },
  };
}
