import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeCase } from '@limen/janus-tiny';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { demoCase, tellingQuestions } from './demo-case.js';

describe('demoCase', () => {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'limen-demo-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('writes the picture of a test case and reads it back, pixel by pixel', async () => {
    const pictureFile = join(folder, 'new', 'picture.png');
    const made = makeCase('test', 3);
    const { file, image, description, questions, drawPrompt, drawRequest } = await demoCase({ seed: 3, pictureFile });
    expect(file).toBe(pictureFile);
    expect([...image.data]).toEqual([...made.image.data]);
    expect({ description, drawPrompt, drawRequest }).toEqual({
      description: made.description,
      drawPrompt: made.drawPrompt,
      drawRequest: made.drawRequest,
    });
    expect(questions).toHaveLength(2);
  });

  it('knows no right answers about a picture or a prompt of somebody else', async () => {
    const own = join(folder, 'own.png');
    await demoCase({ seed: 1, pictureFile: own });
    const shown = await demoCase({ image: own, prompt: 'a cat', seed: 2, pictureFile: join(folder, 'unused.png') });
    expect(shown).toMatchObject({ file: own, questions: [], drawPrompt: 'a cat' });
    expect([shown.description, shown.drawRequest]).toEqual([undefined, undefined]);
    expect([...shown.image.data]).toEqual([...makeCase('test', 1).image.data]);
  });

  it('refuses a picture that does not exist', async () => {
    await expect(demoCase({ image: join(folder, 'no.png'), seed: 0, pictureFile: '' })).rejects.toThrow('--image');
  });
});

describe('tellingQuestions', () => {
  it('are two of different kinds, in every case', () => {
    for (let seed = 0; seed < 50; seed++) {
      const [first, second, ...rest] = tellingQuestions(makeCase('test', seed).questions);
      expect(rest).toEqual([]);
      expect(second?.kind).toBeDefined();
      expect(first?.kind).not.toBe(second?.kind);
    }
  });
});
