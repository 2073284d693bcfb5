// The training data are what FORMATS.md says, also when they are written by the bundle that runs without dependencies.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, it } from 'vitest';

import { makeCase } from '../src/index.js';
import { trainBytePairs } from '../train/byte-pair-trainer.js';
import { sampleOf } from '../train/samples.js';

const folder = mkdtempSync(join(tmpdir(), 'janus-tiny-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('sampleOf', () => {
  it('writes the texts that the model is asked with', () => {
    const { understanding, drawing } = sampleOf(makeCase('train', 4));
    expect(understanding[0]?.prompt).toMatch(
      /^You are a helpful .+ natural language\.\n\n<\|User\|>: <image_placeholder>\n[^\n]+\n\n<\|Assistant\|>:$/,
    );
    expect(understanding[0]?.answer).toMatch(/background\.$/);
    expect(drawing).toMatch(/^<\|User\|>: .+\n\n<\|Assistant\|>:<begin_of_image>$/);
  });
});

describe('export-data', () => {
  it('writes pictures and samples in order, whatever the number of workers', () => {
    const bundling = spawnSync(process.execPath, [fileURLToPath(new URL('../train/bundle-export.mjs', import.meta.url))], {
      encoding: 'utf8',
    });
    expect(bundling.stderr).toBe('');
    const program = join(folder, 'export-data.mjs');
    copyFileSync(bundling.stdout.trim(), program);
    const out = join(folder, 'data');
    const run = (...parameters: string[]) => spawnSync(process.execPath, [program, ...parameters], { encoding: 'utf8' });
    const written = run('--split', 'validation', '--count', '7', '--first-seed', '3', '--out', out, '--workers', '3');
    expect(written.stderr).toBe('');
    const images = readFileSync(join(out, 'images.u8'));
    const lines = readFileSync(join(out, 'samples.jsonl'), 'utf8').trimEnd().split('\n');
    expect(images).toHaveLength(7 * 12288);
    expect(lines).toHaveLength(7);
    for (const [index, line] of lines.entries()) {
      const made = makeCase('validation', 3 + index);
      expect(JSON.parse(line)).toEqual(sampleOf(made));
      expect(images.subarray(index * 12288, (index + 1) * 12288).equals(made.image.data)).toBe(true);
    }
    const refused = run('--split', 'future', '--out', out);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('--split is not known');
  });
});

describe('trainBytePairs', () => {
  it('merges the most frequent pairs first', () => {
    const merges = trainBytePairs(new Map([['aab', 3], ['ab', 2], ['cd', 4]]), 3);
    expect(merges).toEqual([
      { left: 'a', right: 'b' },
      { left: 'c', right: 'd' },
      { left: 'a', right: 'ab' },
    ]);
  });

  it('stops when every word is one token', () => {
    expect(trainBytePairs(new Map([['ab', 1]]), 10)).toHaveLength(1);
  });

  it('does not depend on the order of the words', () => {
    const words = [['red', 2], ['ring', 2], ['green', 2]] as const;
    expect(trainBytePairs(new Map(words), 6)).toEqual(trainBytePairs(new Map(words.toReversed()), 6));
  });
});
