// What the cache benchmark rests on: its workload, its sizes, its verdicts, and that every part runs on a CPU.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PagedCache } from '@limen/kv-cache';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { benchKv, kvParts } from '../kv.js';
import { addRivals } from '../lib/add-rivals.js';
import type { Measurement } from '../lib/report.js';
import { judge } from './bars.js';
import { chooseLayers } from './decode-step.js';
import { drawRequests, mostTokens, serveRequests } from './requests.js';

const measured = (id: string, unit: string, median: number): Measurement => ({
  id,
  unit,
  median,
  spread: 0,
  runs: 1,
  floor: null,
  rivals: [],
});

describe('the requests', () => {
  it('are the same for the same seed, and fit the longest sequence', () => {
    const requests = drawRequests(2000, 3);
    expect(drawRequests(2000, 3)).toEqual(requests);
    expect(drawRequests(2000, 4)).not.toEqual(requests);
    for (const { prompt, answer } of requests) {
      expect(prompt).toBeGreaterThan(0);
      expect(answer).toBeGreaterThan(0);
      expect(prompt + answer).toBeLessThanOrEqual(mostTokens);
    }
  });

  it('are all served by a pool too small for them, and leave it empty', async () => {
    using cache = PagedCache.create({ layers: 1, keyValueHeads: 1, headSize: 2, dtype: 'f32', pages: 200 });
    const requests = drawRequests(60);
    const figures = await serveRequests(cache, requests, { rows: 16 });
    expect(figures.tokens).toBeGreaterThanOrEqual(requests.reduce((sum, { answer }) => sum + answer, 0));
    expect(figures.peakPages).toBeLessThanOrEqual(200);
    expect(figures.waste).toBeGreaterThan(0);
    expect(figures.waste).toBeLessThan(figures.contiguousWaste);
    expect(cache.freePages).toBe(200);
  });
});

describe('chooseLayers', () => {
  const limits = { least: 4e9, most: 24e9 };
  it('takes the layers of the model where their pages leave the caches behind and fit', () => {
    expect(chooseLayers(30, 268e6, limits)).toBe(30);
  });
  it('takes more layers where pages are small, and fewer where they are large', () => {
    expect(chooseLayers(40, 16e6, limits)).toBe(250);
    expect(chooseLayers(30, 2.1e9, limits)).toBe(11);
  });
});

describe('judge', () => {
  it('knows whether more or less is better', () => {
    const verdicts = judge(
      [
        measured('kv-attention/janus-pro-7b/bf16/b8/c2048', 'share', 0.95),
        measured('allocator/append', 'us', 2),
        measured('kv-requests-rate/n1', 'requests/s', 5),
      ],
      'cuda',
    );
    expect(verdicts.map(({ met }) => met)).toEqual([true, false]);
  });

  it('has no bar for kernels on a CPU', () => {
    expect(judge([measured('kv-attention/janus-pro-7b/bf16/b8/c2048', 'share', 0.01)], 'cpu')).toEqual([]);
  });
});

describe('addRivals', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limen-rivals-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('reads an id with a star as one for every format', () => {
    const path = join(folder, 'rivals.json');
    const id = 'kv-attention-time/janus-pro-7b/*/b8/c2048';
    writeFileSync(path, JSON.stringify({ rows: [{ section: 'kv', id, name: 'rival', median: 100, unit: 'us' }] }));
    const ours = [
      measured('kv-attention-time/janus-pro-7b/int4/b8/c2048', 'us', 20),
      measured('kv-attention-time/janus-pro-7b/int4/b64/c2048', 'us', 20),
      measured('kv-attention-rate/janus-pro-7b/int4/b8/c2048', 'TB/s', 4),
    ];
    expect(addRivals(ours, path).map(({ rivals }) => rivals)).toEqual([[{ name: 'rival', median: 100 }], [], []]);
  });
});

describe('npm run bench -- kv', () => {
  it('runs every part on a CPU', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const options = { device: 'cpu', size: 'small', runs: 1, only: [], layouts: ['NHD'] } as const;
    const sizes = { formats: ['f32'], batches: [2], contexts: [20], requests: 40 };
    const saved: number[] = [];
    const { measurements, failures } = await benchKv({ ...options, ...sizes }, (soFar) => saved.push(soFar.length));
    vi.restoreAllMocks();
    expect(failures).toBe(0);
    expect(saved).toHaveLength(kvParts.length);
    expect(measurements.every(({ median }) => Number.isFinite(median))).toBe(true);
    expect(new Set(measurements.map(({ id }) => id)).size).toBe(measurements.length);
  });
});
