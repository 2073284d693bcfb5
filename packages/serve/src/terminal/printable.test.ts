import { expect, it } from 'vitest';

import { printable } from './printable.js';

it('leaves words, line breaks and tabs, and takes away what a terminal would obey', () => {
  expect(printable('a\tb\nç — 猫 🐈')).toBe('a\tb\nç — 猫 🐈');
  expect(printable('\u001b[2Jx\u001b]0;title\u0007\r\u009b31my\u007f')).toBe('[2Jx]0;title31my');
});
