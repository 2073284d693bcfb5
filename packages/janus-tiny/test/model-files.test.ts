// The committed configuration and tokenizer are the ones that loadModel needs, and the tokenizer knows the world's words.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expectedTensors, janusTokens, readJanusConfig, Tokenizer } from '@limen/models-janus';
import { describe, expect, it } from 'vitest';

import { janusTinyFolder, makeCase } from '../src/index.js';
import { colours, kinds, places, sizes } from '../src/world/vocabulary.js';
import { sampleOf } from '../train/samples.js';

const model = janusTinyFolder();
const tokenizer = Tokenizer.load({
  tokenizer: join(model, 'tokenizer.json'),
  tokenizerConfig: join(model, 'tokenizer_config.json'),
});

describe('tokenizer', () => {
  it('has 512 tokens, the special ones last', () => {
    expect(tokenizer.vocabularySize).toBe(512);
    expect(Object.values(janusTokens).map((text) => tokenizer.requireTokenId(text))).toEqual([
      504, 505, 506, 507, 508, 509, 510, 511,
    ]);
    expect(Array.from({ length: 512 }, (_, id) => tokenizer.hasId(id))).not.toContain(false);
  });

  it('begins every text with BOS', () => {
    expect(tokenizer.encode('')).toEqual([504]);
  });

  it('gives back every text of the world', () => {
    for (let seed = 0; seed < 300; seed++) {
      const { understanding, drawing } = sampleOf(makeCase('test', seed));
      for (const text of [drawing, ...understanding.flatMap(({ prompt, answer }) => [prompt, answer])]) {
        expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }), { skipSpecialTokens: false })).toBe(
          text,
        );
      }
    }
  });

  it('gives back text of any script', () => {
    for (const text of ['naïve café', '一只猫坐在垫子上。', '🙂 5 > 3\r\n\ttab', 'zero\u0000byte']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    }
  });

  it('encodes prompt and answer alike, apart or together', () => {
    for (let seed = 0; seed < 100; seed++) {
      for (const { prompt, answer } of sampleOf(makeCase('train', seed)).understanding) {
        const plain = { addSpecialTokens: false };
        expect(tokenizer.encode(prompt + answer, plain)).toEqual([
          ...tokenizer.encode(prompt, plain),
          ...tokenizer.encode(answer, plain),
        ]);
      }
    }
  });

  it('has one token for every colour, kind and size', () => {
    for (const word of [...colours, ...kinds, ...sizes]) {
      expect(tokenizer.encode(` ${word}`, { addSpecialTokens: false }), word).toHaveLength(1);
      expect(tokenizer.encode(word, { addSpecialTokens: false }), word).toHaveLength(1);
    }
    for (const place of places) {
      expect(tokenizer.encode(` ${place}`, { addSpecialTokens: false }), place).toHaveLength(place.split(' ').length);
    }
  });
});

describe('configuration', () => {
  const json: unknown = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
  const config = readJanusConfig(json, { file: 'config.json', tokenId: (text) => tokenizer.tokenId(text) });

  it('is of 64 x 64 pictures, seen as and drawn from 256 tokens', () => {
    expect(config.vision).toMatchObject({ imageSize: 64, imageTokens: 256 });
    expect(config.imageCode).toMatchObject({ gridSize: 16, codebookSize: 256 });
    expect(config.text.vocabularySize).toBe(512);
    expect(config.defaultDType).toBe('bf16');
  });

  it('makes at most 6 million parameters', () => {
    const parameters = [...expectedTensors(config).values()].map((shape) => shape.reduce((product, side) => product * side, 1));
    const total = parameters.reduce((sum, count) => sum + count, 0);
    expect(total).toBeLessThanOrEqual(6_000_000);
    expect(total).toBeGreaterThan(3_000_000);
  });
});
