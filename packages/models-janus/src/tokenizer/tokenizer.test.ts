// Ids against the reference implementation's, and texts made to be awkward.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { TokenizerError } from '../errors/tokenizer-error.js';
import { findSharedFolder } from '../golden/find-golden.js';
import { describeGolden, itWith } from '../golden/for-each-golden.js';
import { openGoldenFolder } from '../golden/golden-folder.js';
import { longestText, Tokenizer } from './tokenizer.js';
import { readTokenizerFile } from './tokenizer-file.js';

const load = (path: string) =>
  Tokenizer.load({ tokenizer: join(path, 'tokenizer.json'), tokenizerConfig: join(path, 'tokenizer_config.json') });

// Every message ends with what to do, behind what was expected and what came.
const saysWhatToDo = /[.?!] [A-Zn`].+[.?]$/s;

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof TokenizerError)
      return saysWhatToDo.test(error.message) ? error.code : `no advice: ${error.message}`;
    throw error;
  }
  return 'ACCEPTED';
}

describeGolden(['janus-a', 'janus-b', 'janus-c'], 'Tokenizer', (path) => {
  const golden = openGoldenFolder(path);
  const tokenizer = load(path);

  it.each(golden.tokenizerCases())('gives the recorded ids and texts of $text', (row) => {
    expect(tokenizer.encode(row.text, { addSpecialTokens: false })).toEqual(row.ids);
    expect(tokenizer.encode(row.text)).toEqual(row.ids_with_bos);
    expect(tokenizer.decode(row.ids)).toBe(row.decoded_skip_special);
    expect(tokenizer.decode(row.ids, { skipSpecialTokens: false })).toBe(row.decoded_keep_special);
  });
});

describeGolden(['janus-a'], 'Tokenizer', (path) => {
  const tokenizer = load(path);
  const bos = tokenizer.requireTokenId('<｜begin▁of▁sentence｜>');

  it('takes special tokens in the text for plain text when told to', () => {
    const text = 'a<|User|>b';
    expect(tokenizer.encode(text)).toContain(tokenizer.requireTokenId('<|User|>'));
    const ids = tokenizer.encode(text, { parseSpecialTokens: false });
    expect(ids.filter((id) => tokenizer.isSpecial(id))).toEqual([bos]);
    expect(tokenizer.decode(ids)).toBe(text);
  });

  it('gives every text back, and streams the same text without half characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const ids = tokenizer.encode(text, { parseSpecialTokens: false });
        const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text));
        expect(tokenizer.decode(ids)).toBe(expected);
        const stream = tokenizer.stream();
        const pieces = ids.map((id) => stream.push(id));
        expect(pieces.join('') + stream.end()).toBe(expected);
        if (!expected.includes('\uFFFD')) for (const piece of pieces) expect(piece).not.toContain('\uFFFD');
      }),
      { numRuns: 1000, seed: 5 },
    );
  });

  it('streams random ids to the text that decode gives', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(391), { maxLength: 40 }), (ids) => {
        for (const skipSpecialTokens of [true, false]) {
          const stream = tokenizer.stream({ skipSpecialTokens });
          expect(ids.map((id) => stream.push(id)).join('') + stream.end()).toBe(
            tokenizer.decode(ids, { skipSpecialTokens }),
          );
        }
      }),
      { numRuns: 1000, seed: 6 },
    );
  });

  it('refuses unknown ids and tokens, and texts beyond the limit', () => {
    expect(codeOf(() => tokenizer.decode([392]))).toBe('TOKENIZER_ID_UNKNOWN');
    expect(codeOf(() => tokenizer.decode([-1]))).toBe('TOKENIZER_ID_UNKNOWN');
    expect(codeOf(() => tokenizer.requireTokenId('<none>'))).toBe('TOKENIZER_TOKEN_MISSING');
    expect(codeOf(() => tokenizer.encode('a'.repeat(longestText + 1)))).toBe('TOKENIZER_TEXT_TOO_LONG');
    expect(tokenizer.vocabularySize).toBe(392);
  });

  const json = JSON.parse(readFileSync(join(path, 'tokenizer.json'), 'utf8')) as Record<string, unknown>;
  const model = json.model as Record<string, unknown>;
  const splits = (...pretokenizers: unknown[]) => ({ type: 'Sequence', pretokenizers });
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };

  it.each([
    ['a root that is a list', 'TOKENIZER_INVALID', []],
    ['no model', 'TOKENIZER_INVALID', { ...json, model: undefined }],
    ['a fractional id', 'TOKENIZER_INVALID', { ...json, model: { ...model, vocab: { a: 0.5 } } }],
    ['a merge of three', 'TOKENIZER_INVALID', { ...json, model: { ...model, merges: [['a', 'b', 'c']] } }],
    ['a merge beyond the vocabulary', 'TOKENIZER_INVALID', { ...json, model: { ...model, merges: [['a', 'zzz']] } }],
    [
      'a template with an unknown token',
      'TOKENIZER_INVALID',
      { ...json, post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>' } }] } },
    ],
    [
      'a pattern of 10,000 characters',
      'TOKENIZER_INVALID',
      {
        ...json,
        pre_tokenizer: splits(
          { type: 'Split', pattern: { Regex: 'a'.repeat(10_000) }, behavior: 'Isolated' },
          byteLevel,
        ),
      },
    ],
    [
      'a broken pattern',
      'TOKENIZER_NOT_SUPPORTED',
      { ...json, pre_tokenizer: splits({ type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' }, byteLevel) },
    ],
    ['a Unigram model', 'TOKENIZER_NOT_SUPPORTED', { ...json, model: { ...model, type: 'Unigram' } }],
    ['dropout', 'TOKENIZER_NOT_SUPPORTED', { ...json, model: { ...model, dropout: 0.1 } }],
    ['byte fallback', 'TOKENIZER_NOT_SUPPORTED', { ...json, model: { ...model, byte_fallback: true } }],
    ['a normalizer', 'TOKENIZER_NOT_SUPPORTED', { ...json, normalizer: { type: 'NFC' } }],
    ['another decoder', 'TOKENIZER_NOT_SUPPORTED', { ...json, decoder: { type: 'Metaspace' } }],
    ['another template', 'TOKENIZER_NOT_SUPPORTED', { ...json, post_processor: { type: 'BertProcessing' } }],
    ['another split', 'TOKENIZER_NOT_SUPPORTED', { ...json, pre_tokenizer: splits({ type: 'Metaspace' }, byteLevel) }],
    ['no byte level', 'TOKENIZER_NOT_SUPPORTED', { ...json, pre_tokenizer: null }],
    ['a prefix space', 'TOKENIZER_NOT_SUPPORTED', { ...json, pre_tokenizer: { ...byteLevel, add_prefix_space: true } }],
    [
      'a token that eats spaces',
      'TOKENIZER_NOT_SUPPORTED',
      { ...json, added_tokens: [{ id: 1, content: 'x', lstrip: true }] },
    ],
  ])('refuses %s with %s', (_, code, changed) => {
    expect(codeOf(() => new Tokenizer(readTokenizerFile(changed, {})))).toBe(code);
  });

  it('adds what tokenizer_config.json asks for when there is no template', () => {
    const config = {
      add_bos_token: true,
      bos_token: '<｜begin▁of▁sentence｜>',
      add_eos_token: true,
      eos_token: '<｜end▁of▁sentence｜>',
    };
    for (const post_processor of [
      null,
      { type: 'ByteLevel' },
      { type: 'Sequence', processors: [{ type: 'ByteLevel' }] },
    ]) {
      const without = new Tokenizer(readTokenizerFile({ ...json, post_processor }, config));
      expect(without.encode('')).toEqual([bos, tokenizer.tokenId('<｜end▁of▁sentence｜>')]);
    }
  });
});

describe('the DeepSeek-LLM tokenizer', () => {
  const found = findSharedFolder('tokenizers/deepseek-llm', 'tokenizer.json');
  const withFolder = itWith(found.path !== undefined, found.reason ?? '');

  withFolder('gives the reference ids of all 46 cases, and decodes them', () => {
    const path = found.path ?? '';
    const tokenizer = load(path);
    const texts = readFileSync(join(path, 'cases.inp'), 'utf8').split('\n__ggml_vocab_test__\n');
    const lines = readFileSync(join(path, 'cases.out'), 'utf8').split('\n').slice(0, 46);
    expect(lines).toHaveLength(46);
    for (const [index, line] of lines.entries()) {
      const ids = line.trim() === '' ? [] : line.trim().split(/\s+/u).map(Number);
      const text = texts[index] ?? '';
      expect(tokenizer.encode(text, { addSpecialTokens: false }), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(text);
    }
    expect(tokenizer.encode('Hello, how are you?')).toEqual([100000, 17464, 11, 946, 418, 340, 30]);
  });

  withFolder('encodes a megabyte of one character', () => {
    const tokenizer = load(found.path ?? '');
    const long = 2 ** 20;
    const texts = ['a'.repeat(long), `${' '.repeat(long)}😀`];
    // Quadratic time would show at an eighth of it as well.
    for (const character of ['1', '\n', '½', '好', '!', '😀']) texts.push(character.repeat(long / 8));
    for (const text of texts) expect(tokenizer.decode(tokenizer.encode(text)) === text, text.slice(-2)).toBe(true);
  });
});
