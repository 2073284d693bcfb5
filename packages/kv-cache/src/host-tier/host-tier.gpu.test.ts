// Swaps and files on a real GPU: every byte survives beside decode attention, the ops wait for nothing, and a steady
// state takes no device memory.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  CaptureViolationError,
  copy,
  fromArray,
  memoryStatistics,
  read,
  record,
  synchronize,
  type Tensor,
  toDevice,
} from '@limen/tensor';
import { cudaUnavailable, SeededRandom } from '@limen/tensor/testing';
import { afterAll, describe, expect, it } from 'vitest';

import type { PagedCacheOptions } from '../cache-options.js';
import type { CacheSequence } from '../cache-sequence.js';
import { PagedCache } from '../paged-cache.js';
import type { CacheDType } from '../storage-formats.js';
import { markedSequence, wrongTokens } from '../testing/marked-tokens.js';
import { measureSwap } from './measure-swap.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);
const device = 'cuda:0';
const folder = mkdtempSync(join(tmpdir(), 'limen-host-tier-gpu-'));
afterAll(() => rmSync(folder, { recursive: true }));

const shape = { layers: 3, keyValueHeads: 2, headSize: 64, pageSize: 16, pages: 96, dtype: 'bf16' } as const;

/** A cache on the GPU whose sequences of `lengths` tokens are marked 0, 1000, 2000, …. */
async function markedCache(
  lengths: readonly number[],
  options: Partial<PagedCacheOptions> = {},
): Promise<{ cache: PagedCache; sequences: CacheSequence[] }> {
  const all = { ...shape, hostBytes: 2 ** 26, stagingBytes: 2 ** 18, ...options }; // pieces of a few pages
  using twin = PagedCache.create(all);
  const cache = PagedCache.create({ ...all, device });
  lengths.forEach((tokens, index) => markedSequence(twin, tokens, 1000 * index));
  // Both accountings hand out the same pages, so that the memory can be copied whole.
  const sequences = lengths.map((tokens) => cache.allocateSequence(tokens));
  for (const [index, part] of twin.memory.parts.entries()) {
    using source = await toDevice(part, device);
    copy({ x: source }, { out: cache.memory.parts[index] as Tensor });
  }
  return { cache, sequences };
}

/** Tokens of a sequence on the GPU that have not kept their bytes. */
async function wrongOnDevice(cache: PagedCache, sequence: CacheSequence, first: number): Promise<number[]> {
  const parts = await Promise.all(cache.memory.parts.map((part) => toDevice(part, 'cpu')));
  const wrong = wrongTokens({ memory: { options: cache.memory.options, parts } }, sequence, first);
  for (const part of parts) part.dispose();
  return wrong;
}

/** One decode step of attention in every layer. */
async function attend(cache: PagedCache, sequence: CacheSequence): Promise<number[]> {
  const random = new SeededRandom(3);
  using q = fromArray(random.normals(4 * shape.headSize), [1, 4, shape.headSize], { dtype: 'bf16', device });
  using pageTable = cache.pageTable([sequence]);
  using lengths = cache.lengths([sequence]);
  const results: number[] = [];
  for (let layer = 0; layer < shape.layers; layer += 1) {
    using y = cache.attention(layer, { q, pageTable, lengths });
    results.push(...(await read(y)));
  }
  return results;
}

describe.skipIf(reason !== undefined)('the host tier of a GPU', () => {
  it.each<[CacheDType, 'NHD' | 'HND']>([
    ['f32', 'NHD'],
    ['bf16', 'HND'],
    ['fp8', 'NHD'],
    ['int8', 'HND'],
    ['int4', 'NHD'],
  ])('keeps every byte in %s, %s, over many swaps at once', async (dtype, layout) => {
    const { cache, sequences } = await markedCache([37, 100, 1, 16, 333], { dtype, layout });
    const fork = sequences[1]?.fork();
    let live = sequences;
    for (let round = 0; round < 4; round += 1) {
      const swapped = await Promise.all(live.map((sequence) => cache.swapOut(sequence)));
      swapped.reverse();
      live = (await Promise.all(swapped.map((one) => cache.swapIn(one)))).reverse();
    }
    for (const [index, sequence] of live.entries()) {
      expect(await wrongOnDevice(cache, sequence, 1000 * index)).toEqual([]);
    }
    if (fork !== undefined) expect(await wrongOnDevice(cache, fork, 1000)).toEqual([]);
    expect(cache.statistics().host).toMatchObject({ swapsOut: 20, swapsIn: 20, heldBytes: 0, inFlight: 0 });
    cache.dispose();
  });

  it('leaves decode attention of other sequences as it was while they run side by side', async () => {
    const { cache, sequences } = await markedCache([300, 200, 170]);
    const [staying, ...moving] = sequences as [CacheSequence, CacheSequence, CacheSequence];
    const expected = await attend(cache, staying);
    const before = await Promise.all(moving.map((sequence) => attend(cache, sequence)));
    let live: CacheSequence[] = moving;
    for (let round = 0; round < 10; round += 1) {
      const swapping = Promise.all(live.map((sequence) => cache.swapOut(sequence)));
      expect(await attend(cache, staying)).toEqual(expected);
      const returning = Promise.all((await swapping).map((swapped) => cache.swapIn(swapped)));
      expect(await attend(cache, staying)).toEqual(expected);
      live = await returning;
    }
    expect(await Promise.all(live.map((sequence) => attend(cache, sequence)))).toEqual(before);
    cache.dispose();
  });

  it('works beside the ops: they end before a large swap that began first', async () => {
    const large = { layers: 8, keyValueHeads: 16, headSize: 128, pageSize: 16, dtype: 'bf16' } as const;
    using cache = PagedCache.create({ ...large, pages: 300, hostBytes: 2 ** 29, device });
    cache.reserveHost(2 ** 29);
    (await cache.swapOut(cache.allocateSequence(16))).dispose();
    const sequence = cache.allocateSequence(4096);
    using x = fromArray([1, 2], [2], { device });
    using y = fromArray([0, 0], [2], { device });
    copy({ x }, { out: y }); // loading a kernel may wait for the device, so all are loaded before
    await synchronize(device);
    const swapping = cache.swapOut(sequence);
    copy({ x }, { out: y });
    const first = await Promise.race([swapping.then(() => 'swap'), synchronize(device).then(() => 'ops')]);
    expect(first).toBe('ops');
    (await swapping).dispose();
  });

  it('takes no device memory and no host memory once it is warm', async () => {
    const { cache, sequences } = await markedCache([300, 200]);
    let live = sequences;
    const swapAll = async () => {
      const swapped = await Promise.all(live.map((sequence) => cache.swapOut(sequence)));
      live = await Promise.all(swapped.map((one) => cache.swapIn(one)));
    };
    await swapAll();
    const before = memoryStatistics(device);
    const { reservedBytes } = cache.statistics().host;
    for (let round = 0; round < 5; round += 1) await swapAll();
    expect(memoryStatistics(device)).toEqual(before);
    expect(cache.statistics().host.reservedBytes).toBe(reservedBytes);
    cache.dispose();
  });

  it('refuses to be captured, and is not disturbed by a capture beside it', async () => {
    const { cache, sequences } = await markedCache([300, 20]);
    const [first, second] = sequences as [CacheSequence, CacheSequence];
    using x = fromArray([1, 2], [2], { device });
    using y = fromArray([0, 0], [2], { device });
    const swapping = cache.swapOut(first);
    let refused: Promise<unknown> = Promise.resolve();
    using recording = record(device, () => {
      refused = cache.swapOut(second).catch((error: unknown) => error);
      copy({ x }, { out: y });
    });
    recording.replay();
    expect(await refused).toBeInstanceOf(CaptureViolationError);
    expect([...(await read(y))]).toEqual([1, 2]);
    const back = await cache.swapIn(await swapping);
    expect(await wrongOnDevice(cache, back, 0)).toEqual([]);
    expect(await wrongOnDevice(cache, second, 1000)).toEqual([]);
    cache.dispose();
  });

  it('may be disposed in the middle: memory that was its pages is not written any more', async () => {
    const { cache, sequences } = await markedCache([700]);
    const swapped = await Promise.all(sequences.map((sequence) => cache.swapOut(sequence)));
    const returning = swapped.map((one) => cache.swapIn(one).catch((error: unknown) => error));
    cache.dispose();
    using next = PagedCache.create({ ...shape, device }); // takes the same memory, and fills it with zeros
    await Promise.all(returning);
    using stored = await toDevice(next.memory.parts[0] as Tensor, 'cpu');
    expect(stored.storage.bytes.every((byte) => byte === 0)).toBe(true);
  });

  it.each<CacheDType>(['bf16', 'int4'])('saves and restores in %s, between GPU and CPU', async (dtype) => {
    const path = join(folder, dtype);
    const { cache, sequences } = await markedCache([5, 333], { dtype });
    await cache.saveSequence(sequences[1] as CacheSequence, path);
    using host = PagedCache.create({ ...shape, dtype, pageSize: 32, layout: 'HND' });
    using onHost = await host.restoreSequence(path);
    expect(wrongTokens(host, onHost, 1000)).toEqual([]);
    await host.saveSequence(onHost, path);
    const restored = await cache.restoreSequence(path);
    expect(await wrongOnDevice(cache, restored, 1000)).toEqual([]);
    cache.dispose();
  });

  it('says how fast it is', async () => {
    const { cache } = await markedCache([]);
    const speed = await measureSwap(cache, { tokens: 1000 });
    console.log(
      `swap of ${(speed.bytes / 1e6).toFixed(1)} MB: ${speed.outGigabytesPerSecond.toFixed(1)} GB/s out, ` +
        `${speed.inGigabytesPerSecond.toFixed(1)} GB/s in`,
    );
    expect(speed.bytes).toBeGreaterThan(0);
    cache.dispose();
  });
});
