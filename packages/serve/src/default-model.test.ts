import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { janusTinyFolder } from '@limen/janus-tiny';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { defaultModel } from './default-model.js';

describe('defaultModel', () => {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'limen-default-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const checkpoint = (...path: string[]) => {
    const place = join(folder, ...path);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'model.safetensors'), '');
    return place;
  };

  it('is the trained model where its weights are, with a line that says what it knows', () => {
    const tiny = checkpoint('model');
    const { name, folder: chosen, notice } = defaultModel(tiny, folder);
    expect([name, chosen]).toEqual(['janus-tiny', tiny]);
    expect(notice).toMatch(/^No model is named, .*coloured shapes\. .*--model FOLDER\.$/);
  });

  it('is the test checkpoint of the repository where the trained weights are missing', () => {
    const golden = checkpoint('fixtures', 'golden', 'janus-a');
    const { folder: chosen, notice } = defaultModel(join(folder, 'model'), join(folder, 'packages', 'serve', 'src'));
    expect(chosen).toBe(golden);
    expect(notice).toMatch(/^No model is named, .*random.*--model FOLDER\.$/);
  });

  it('does not exist where neither is', () => {
    expect(() => defaultModel(folder, folder)).toThrow('expected --model FOLDER or LIMEN_MODEL');
  });

  it('is found from here', () => {
    expect(['model', 'janus-a']).toContain(basename(defaultModel(janusTinyFolder()).folder));
  });
});
