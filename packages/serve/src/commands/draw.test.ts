import { describe, expect, it } from 'vitest';

import { numberedFile } from './draw.js';

describe('numberedFile', () => {
  it('numbers files when there are several, before the ending', () => {
    expect(numberedFile('out/cat.png', 0, 1)).toBe('out/cat.png');
    expect(numberedFile('out/cat.v2.png', 1, 3)).toBe('out/cat.v2-2.png');
  });
});
