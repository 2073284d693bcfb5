import { describe, expect, it } from 'vitest';

import { timesTable } from './demo.js';
import { numberedFile } from './draw.js';

describe('timesTable', () => {
  it('shows time, share and speed of every stage', () => {
    const lines = timesTable({
      load: 1,
      image: 0,
      prompt: 2,
      decode: 4,
      draw: 2,
      pixels: 1,
      promptTokens: 600,
      tokens: 41,
      codes: 576,
    }).split('\n');
    expect(lines).toHaveLength(8);
    expect(lines[3]).toMatch(/^Picture and prompt.*2\.000 s +20 % +300\.0 tokens\/s$/);
    // The first word belongs to the prompt.
    expect(lines[4]).toMatch(/^Decode words +4\.000 s +40 % +10\.0 tokens\/s$/);
    expect(lines[5]).toMatch(/^Draw +2\.000 s +20 % +288\.0 tokens\/s$/);
    expect(lines[7]).toMatch(/^Together +10\.000 s +100 %$/);
  });

  it('names no speed for what was not done', () => {
    const none = { load: 1, image: 0, prompt: 0, decode: 0, draw: 0, pixels: 0, promptTokens: 0, tokens: 0, codes: 0 };
    expect(timesTable(none)).not.toContain('tokens/s');
  });
});

describe('numberedFile', () => {
  it('numbers files when there are several, before the ending', () => {
    expect(numberedFile('out/cat.png', 0, 1)).toBe('out/cat.png');
    expect(numberedFile('out/cat.v2.png', 1, 3)).toBe('out/cat.v2-2.png');
  });
});
