import { expect, test } from 'vitest';

import { bleu, rougeL } from './text-scores.js';

const same = [{ text: 'A large red circle at the top left.', reference: 'a large red circle at the top left.' }];

test('equal texts score one, whatever their case', () => {
  expect(bleu(same)).toBeCloseTo(1, 12);
  expect(rougeL(same)).toBe(1);
});

test('texts without a common word score nothing', () => {
  const pairs = [{ text: 'one two three four', reference: 'five six seven eight' }];
  expect(bleu(pairs)).toBe(0);
  expect(rougeL(pairs)).toBe(0);
});

test('BLEU is the geometric mean of the precisions times the brevity penalty', () => {
  // 1- to 4-gram precisions 5/5, 4/4, 3/3, 2/2; the reference has 6 words.
  const pairs = [{ text: 'the cat sat on the', reference: 'the cat sat on the mat' }];
  expect(bleu(pairs)).toBeCloseTo(Math.exp(1 - 6 / 5), 12);
  // One word changed in the middle: 5/6, 3/5, 2/4, 1/3.
  const changed = [{ text: 'the cat sat in the mat', reference: 'the cat sat on the mat' }];
  expect(bleu([...changed, ...same])).toBeLessThan(1);
});

test('ROUGE-L counts words in order, not words', () => {
  expect(rougeL([{ text: 'b a', reference: 'a b' }])).toBe(0.5);
  expect(rougeL([{ text: 'a x b', reference: 'a b' }])).toBeCloseTo(0.8, 12);
});

test('a word said too often counts only as often as the reference says it', () => {
  const pairs = [{ text: 'the the the the the the', reference: 'the cat is on the mat today' }];
  expect(bleu(pairs)).toBe(0);
});
