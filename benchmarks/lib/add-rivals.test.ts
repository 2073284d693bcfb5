// A rival's figure stands only beside the case it was measured for.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { addRivals } from './add-rivals.js';
import type { Measurement } from './report.js';

test('rows of transformers_janus.py find the cases with their batch and context', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limen-rivals-'));
  const path = join(folder, 'rivals.json');
  const rows = [
    { section: 'static', case: 'compiled decode', B: 8, prompt: 2048, 'tok/s': 1184, 'ms/step': 6.8 },
    { section: 'gen', case: 'generate eager', B: 32, prompt: 512, 'tok/s': 600, 'ms/step': 53 },
    { section: 'prefill', case: '8 x 1024 text tokens', B: 8, prompt: 1024, 'ms/step': 210 },
    { section: 'imgstatic', case: 'CFG 5, compiled', B: 8, prompt: 24, 'ms/step': 6 },
  ];
  writeFileSync(path, JSON.stringify({ rows }));
  const ids = [
    'decode/janus-pro-7b/bf16/b8/c2048',
    'decode/janus-pro-7b/bf16/b8/c512',
    'decode/janus-pro-7b/int8/b32/c512/eager',
    'prefill/janus-pro-7b/bf16/b8/t1024i0',
    'draw/janus-pro-7b/bf16/n8',
    'draw/janus-pro-7b/bf16/n1',
  ];
  const measured = ids.map((id): Measurement => ({
    id,
    unit: '',
    median: 1,
    spread: 0,
    runs: 1,
    floor: null,
    rivals: [],
  }));
  expect(addRivals(measured, path).map(({ rivals }) => rivals.map(({ median }) => median))).toEqual([
    [1184],
    [],
    [600],
    [210],
    [3.456],
    [],
  ]);
  rmSync(folder, { recursive: true });
});
