// Saving and restoring: round trips between page sizes and layouts, files that are refused, work that is ended early.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { leakReport, LimenError } from '@limen/tensor';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import type { PagedCacheOptions } from '../cache-options.js';
import { CacheFullError } from '../errors/cache-full-error.js';
import { PagedCache } from '../paged-cache.js';
import { type CacheDType, cacheFormats } from '../storage-formats.js';
import { markedSequence, wrongTokens } from '../testing/marked-tokens.js';
import { describeSequenceFile } from './sequence-file-io.js';

const folder = mkdtempSync(join(tmpdir(), 'limen-sequence-files-'));
const path = join(folder, 'sequence');
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => readdirSync(folder).forEach((name) => rmSync(join(folder, name))));

const shape = { layers: 2, keyValueHeads: 2, headSize: 6, pageSize: 4, pages: 12, dtype: 'int8' } as const;
const create = (options: Partial<PagedCacheOptions> = {}) => PagedCache.create({ ...shape, ...options });

async function codeOf(action: Promise<unknown>): Promise<string> {
  const error: unknown = await action.then(
    () => 'nothing thrown',
    (reason: unknown) => reason,
  );
  return LimenError.isInstance(error) ? error.code : String(error);
}

describe('a saved sequence', () => {
  it.each(Object.keys(cacheFormats) as CacheDType[])(
    'in %s is restored between page sizes and layouts',
    async (dtype) => {
      for (const [layout, pageSize] of [
        ['NHD', 4],
        ['HND', 3],
      ] as const) {
        using cache = create({ dtype, layout, pageSize });
        using sequence = markedSequence(cache, 10);
        const bytes = await cache.saveSequence(sequence, path);
        expect(bytes).toBe(10 * cache.statistics().bytes.perToken);
        for (const [otherLayout, otherSize] of [
          ['NHD', 4],
          ['HND', 3],
          ['NHD', 1],
          ['HND', 16],
          ['NHD', 7],
        ] as const) {
          using other = create({ dtype, layout: otherLayout, pageSize: otherSize, pages: 20 });
          using restored = await other.restoreSequence(path);
          expect(restored.length).toBe(10);
          expect(wrongTokens(other, restored)).toEqual([]);
        }
      }
    },
  );

  it.each([1, 2000])('is moved in pieces of pages that fit %d bytes', async (stagingBytes) => {
    using cache = create({ stagingBytes, layout: 'HND' });
    using sequence = markedSequence(cache, 43);
    await cache.saveSequence(sequence, path);
    using other = create({ stagingBytes, pageSize: 6 });
    using restored = await other.restoreSequence(path);
    expect(wrongTokens(other, restored)).toEqual([]);
  });

  it('stays as it is, may grow meanwhile, and may be empty', async () => {
    using cache = create();
    using sequence = markedSequence(cache, 6);
    const saving = cache.saveSequence(sequence, path);
    sequence.append(3);
    await saving;
    expect(await describeSequenceFile(path)).toMatchObject({ tokens: 6, pageSize: 4, layout: 'HND', dtype: 'int8' });
    using empty = cache.allocateSequence(0);
    expect(await cache.saveSequence(empty, path)).toBe(0);
    expect((await cache.restoreSequence(path)).length).toBe(0);
    expect(cache.statistics().pages).toMatchObject({ used: 3, shared: 0 });
  });

  it('holds nothing of others: unused slots of its last page are not in the file', async () => {
    using cache = create({ dtype: 'f32', pages: 1 });
    markedSequence(cache, 4, 1000).release();
    using sequence = markedSequence(cache, 1);
    await cache.saveSequence(sequence, path);
    const perToken = cache.statistics().bytes.perToken;
    expect(readFileSync(path).byteLength).toBeLessThan(2 * perToken + 300);
    using other = create({ dtype: 'f32', pages: 1, pageSize: 3 });
    using restored = await other.restoreSequence(path);
    expect(restored.length).toBe(1);
    const stored = other.memory.parts[0]?.storage.bytes ?? new Uint8Array();
    expect(stored.filter((byte) => byte !== 0).length).toBeLessThanOrEqual(perToken);
  });

  it('keeps its metadata, and reports progress in bytes', async () => {
    using cache = create();
    using sequence = markedSequence(cache, 10);
    const progress: [number, number][] = [];
    const onProgress = (done: number, total: number) => void progress.push([done, total]);
    const total = await cache.saveSequence(sequence, path, { metadata: { model: 'm', prompt: 'ü' }, onProgress });
    expect(progress.at(-1)).toEqual([total, total]);
    expect((await describeSequenceFile(path)).metadata).toEqual({ model: 'm', prompt: 'ü' });
    progress.length = 0;
    await cache.restoreSequence(path, { onProgress });
    expect(progress.at(-1)).toEqual([2 * total, 2 * total]);
    const done = progress.map(([bytes]) => bytes);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });

  it('is refused when a window has taken pages from it, or its metadata are not texts', async () => {
    using cache = create();
    using sequence = markedSequence(cache, 12);
    const metadata = { count: 3 } as unknown as Record<string, string>;
    expect(await codeOf(cache.saveSequence(sequence, path, { metadata }))).toBe('INVALID_ARGUMENT');
    sequence.releaseOutside({ window: 2 });
    expect(await codeOf(cache.saveSequence(sequence, path))).toBe('INVALID_ARGUMENT');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a file that is not whole', () => {
  it('is refused with any byte flipped, cut off anywhere, or followed by anything; the cache stays as it was', async () => {
    using cache = PagedCache.create({ ...shape, layers: 1, keyValueHeads: 1, headSize: 2, dtype: 'int8' });
    using sequence = markedSequence(cache, 3);
    await cache.saveSequence(sequence, path, { metadata: { a: 'b' } });
    const good = readFileSync(path);
    const before = JSON.stringify(cache.statistics());
    const codes = new Map<string, number>();
    const refuse = async (bytes: Uint8Array) => {
      writeFileSync(path, bytes);
      const code = await codeOf(cache.restoreSequence(path));
      codes.set(code, (codes.get(code) ?? 0) + 1);
    };
    for (let at = 0; at < good.length; at += 1) {
      for (const bit of [1, 0x80]) await refuse(good.map((byte, index) => (index === at ? byte ^ bit : byte)));
      await refuse(good.subarray(0, at));
    }
    for (const extra of [1, 16, 4096]) await refuse(Buffer.concat([good, Buffer.alloc(extra)]));
    expect([...codes.keys()].filter((code) => !code.startsWith('CACHE_FILE_'))).toEqual([]);
    expect(codes.get('CACHE_FILE_DAMAGED')).toBeGreaterThan(2 * 32);
    expect(codes.get('CACHE_FILE_SIZE_MISMATCH')).toBeGreaterThan(3);
    expect(JSON.stringify(cache.statistics())).toBe(before);
    writeFileSync(path, good);
    expect(wrongTokens(cache, await cache.restoreSequence(path))).toEqual([]);
  });

  it('is told from one that cannot be read, is of another shape, or does not fit', async () => {
    using cache = create();
    using sequence = markedSequence(cache, 10);
    await cache.saveSequence(sequence, path);
    expect(await codeOf(cache.restoreSequence(join(folder, 'none')))).toBe('CACHE_FILE_UNREADABLE');
    expect(await codeOf(cache.restoreSequence(folder))).toBe('CACHE_FILE_UNREADABLE');
    using other = create({ headSize: 8 });
    expect(await codeOf(other.restoreSequence(path))).toBe('CACHE_FILE_SHAPE_MISMATCH');
    using full = create({ pages: 2 });
    await expect(full.restoreSequence(path)).rejects.toThrowError(CacheFullError);
    expect(full.freePages).toBe(2);
  });
});

describe('work that does not come to its end', () => {
  it('leaves the old file, and no other, when it is aborted or fails', async () => {
    using cache = create();
    using sequence = markedSequence(cache, 10);
    writeFileSync(path, 'old');
    const controller = new AbortController();
    const onProgress = () => controller.abort(new LimenError('STOPPED', 'stopped'));
    const options = { onProgress, signal: controller.signal };
    expect(await codeOf(cache.saveSequence(sequence, path, options))).toBe('STOPPED');
    expect(await codeOf(cache.saveSequence(sequence, path, options))).toBe('STOPPED');
    expect(await codeOf(cache.saveSequence(sequence, join(folder, 'none/file')))).toBe('CACHE_FILE_NOT_WRITTEN');
    expect(await codeOf(cache.saveSequence(sequence, folder))).toBe('CACHE_FILE_NOT_WRITTEN');
    expect(readdirSync(folder)).toEqual(['sequence']);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(cache.statistics().pages).toMatchObject({ used: 3, shared: 0 });
  });

  it('gives the pages of a restored sequence back', async () => {
    using cache = create();
    using sequence = markedSequence(cache, 10);
    const total = await cache.saveSequence(sequence, path);
    const controller = new AbortController();
    const onProgress = (done: number) => void (done > total && controller.abort(new LimenError('STOPPED', 'stopped')));
    expect(await codeOf(cache.restoreSequence(path, { onProgress, signal: controller.signal }))).toBe('STOPPED');
    expect(cache.statistics().pages.used).toBe(3);
  });

  it('notices a file that changes between the check and the use', async () => {
    using cache = create();
    using sequence = markedSequence(cache, 10);
    const total = await cache.saveSequence(sequence, path);
    const good = readFileSync(path);
    const onProgress = (done: number) => {
      if (done !== total) return;
      good[good.length - 40] = (good[good.length - 40] ?? 0) ^ 1;
      writeFileSync(path, good);
    };
    expect(await codeOf(cache.restoreSequence(path, { onProgress }))).toBe('CACHE_FILE_CHANGED');
    expect(cache.statistics().pages.used).toBe(3);
  });

  it('ends when the cache is disposed, and leaks nothing', async () => {
    const leaks = leakReport().length;
    const cache = create();
    const sequence = markedSequence(cache, 10);
    await cache.saveSequence(sequence, path);
    const work = [
      cache.saveSequence(sequence, join(folder, 'second')),
      cache.restoreSequence(path),
      cache.saveSequence(sequence, join(folder, 'third')),
    ];
    const codes = Promise.all(work.map(codeOf));
    await new Promise((resolve) => setImmediate(resolve));
    cache.dispose();
    expect((await codes).slice(1)).toEqual(['DISPOSED', 'DISPOSED']);
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial') || name === 'third')).toEqual([]);
    expect(leakReport()).toHaveLength(leaks);
  });
});

describe('files of one cache', () => {
  it('take turns, beside swaps', async () => {
    using cache = create({ pages: 40, hostBytes: 50_000 });
    const sequences = [0, 1, 2, 3].map((index) => markedSequence(cache, 9, 100 * index));
    const saving = sequences.map((sequence, index) => cache.saveSequence(sequence, `${path}${index}`));
    const swapping = sequences.map((sequence) => cache.swapOut(sequence));
    await Promise.all(saving);
    const restored = await Promise.all(sequences.map((_, index) => cache.restoreSequence(`${path}${index}`)));
    const back = await Promise.all((await Promise.all(swapping)).map((swapped) => cache.swapIn(swapped)));
    [restored, back].forEach((all) =>
      all.forEach((sequence, index) => expect(wrongTokens(cache, sequence, 100 * index)).toEqual([])),
    );
  });
});
