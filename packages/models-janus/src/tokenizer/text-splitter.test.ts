// The two steps that replace those of the library.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { createTextSplitter, cutTrailingSpace } from './text-splitter.js';

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };

describe('createTextSplitter', () => {
  it('cuts at every numeric character, not only at decimal digits', () => {
    const digits = (individual_digits: boolean) =>
      createTextSplitter({ type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits }, byteLevel] });
    expect(digits(true)('a12½Ⅷ²b٣')).toEqual(['a', '1', '2', '½', 'Ⅷ', '²', 'b', '٣']);
    expect(digits(false)('a12½Ⅷ²b٣')).toEqual(['a', '12½Ⅷ²', 'b', '٣']);
  });

  it('splits words as GPT-2 does when ByteLevel says so', () => {
    expect(createTextSplitter({ ...byteLevel, use_regex: true })("it's  2 o'clock")).toEqual([
      'it',
      "'s",
      ' ',
      ' 2',
      ' o',
      "'",
      'clock',
    ]);
  });
});

describe('cutTrailingSpace', () => {
  it('cuts where the regular expression would', () => {
    const expression = /\p{White_Space}+(?:(?=\n)|(?![\s\S]))/gu;
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(' ', '\n', '\r', '\t', '\u0085', '\u2028', 'a', '\uFEFF'), maxLength: 20 }),
        (text) => {
          const parts: string[] = [];
          let rest = 0;
          for (const { 0: match, index } of text.matchAll(expression)) {
            parts.push(text.slice(rest, index), match);
            rest = index + match.length;
          }
          parts.push(text.slice(rest));
          const filled = (list: readonly string[]) => list.filter((part) => part.length > 0);
          expect(filled(cutTrailingSpace(text))).toEqual(filled(parts));
        },
      ),
      { numRuns: 5000, seed: 3 },
    );
  });
});
