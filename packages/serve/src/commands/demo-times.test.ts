import { describe, expect, it } from 'vitest';

import { timesTable } from './demo-times.js';

const none = {
  load: 0,
  image: 0,
  prompt: 0,
  decode: 0,
  questions: 0,
  draw: 0,
  previews: 0,
  pixels: 0,
  promptTokens: 0,
  tokens: 0,
  codes: 0,
};

describe('timesTable', () => {
  it('shows time, share and speed of every stage', () => {
    const made = { promptTokens: 600, tokens: 41, codes: 576 };
    const lines = timesTable({ ...none, load: 1, prompt: 2, decode: 4, draw: 2, pixels: 1, ...made }).split('\n');
    expect(lines).toHaveLength(8);
    expect(lines[3]).toMatch(/^Picture and prompt.*2\.000 s +20 % +300\.0 tokens\/s$/);
    // The first word belongs to the prompt.
    expect(lines[4]).toMatch(/^Decode words +4\.000 s +40 % +10\.0 tokens\/s$/);
    expect(lines[5]).toMatch(/^Draw +2\.000 s +20 % +288\.0 tokens\/s$/);
    expect(lines[7]).toMatch(/^Together +10\.000 s +100 %$/);
  });

  it('has rows for questions and previews where there were any', () => {
    const lines = timesTable({ ...none, load: 1, questions: 2, previews: 1 }).split('\n');
    expect(lines).toHaveLength(10);
    expect(lines[5]).toMatch(/^Answer questions +2\.000 s +50 %$/);
    expect(lines[7]).toMatch(/^Previews +1\.000 s +25 %$/);
    expect(lines[9]).toMatch(/^Together +4\.000 s/);
  });

  it('names no speed for what was not done', () => {
    expect(timesTable({ ...none, load: 1 })).not.toContain('tokens/s');
  });
});
