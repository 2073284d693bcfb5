// Philox against the answers its authors publish, and against the properties sampling relies on.

import { expect, test } from 'vitest';

import { philox4x32 } from './philox.js';

// kat_vectors of the Random123 distribution, "philox4x32 10".
const knownAnswers = [
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    answer: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    answer: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    answer: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
] as const;

test.each(knownAnswers)('gives the published answer for key $key', ({ counter, key, answer }) => {
  expect(philox4x32(counter, key)).toEqual(answer);
});

test('takes negative words as their unsigned bits', () => {
  expect(philox4x32([-1, -1, -1, -1], [-1, -1])).toEqual(knownAnswers[1].answer);
});

test('spreads its words evenly', () => {
  const bins = new Array<number>(16).fill(0);
  for (let index = 0; index < 4096; index++) {
    for (const word of philox4x32([index, 7, 0, 0], [1, 2])) bins[word >>> 28] = (bins[word >>> 28] ?? 0) + 1;
  }
  // 16384 words in 16 bins: 1024 each, standard deviation 31.
  for (const count of bins) expect(Math.abs(count - 1024)).toBeLessThan(5 * 31);
});
