// Swaps on the CPU, with side streams whose work the test declares done: order of pages, bytes, budget and errors.

import { CaptureViolationError, leakReport, LimenError, record, type SideStream } from '@limen/tensor';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { PagedCacheOptions } from '../cache-options.js';
import { CacheFullError } from '../errors/cache-full-error.js';
import { HostBudgetError } from '../errors/host-budget-error.js';
import { PagedCache } from '../paged-cache.js';
import { markedSequence, wrongTokens } from '../testing/marked-tokens.js';
import { measureSwap } from './measure-swap.js';

/** With a gate, work is done when the test opens it, one mark at a time. */
const gate = vi.hoisted((): { marks: (() => void)[] | undefined; calls: string[] } => ({
  marks: undefined,
  calls: [],
}));
vi.mock('@limen/tensor', async (importOriginal) => {
  const original = await importOriginal<{ openSideStream(device: string): SideStream }>();
  const openSideStream = (device: string): SideStream => {
    const stream = original.openSideStream(device);
    const reached = () =>
      gate.marks === undefined ? Promise.resolve() : new Promise<void>((resolve) => gate.marks?.push(resolve));
    const noting = { followOps: () => void gate.calls.push('follow'), holdOps: () => void gate.calls.push('hold') };
    return Object.assign(stream, noting, { reached });
  };
  return { ...original, openSideStream };
});
afterEach(() => {
  gate.marks = undefined;
  gate.calls = [];
});

const small = { layers: 2, keyValueHeads: 2, headSize: 6, pageSize: 4, pages: 12, dtype: 'int8' } as const;
const create = (options: Partial<PagedCacheOptions> = {}) =>
  PagedCache.create({ ...small, hostBytes: 100_000, ...options });
/** Every page is a piece. */
const pieceByPiece = { stagingBytes: 1, pageSize: 16, pages: 8 };

async function codeOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    return LimenError.isInstance(error) ? error.code : String(error);
  }
  return 'nothing thrown';
}

describe('a swapped sequence', () => {
  it('takes no page, and comes back with every byte on other pages', async () => {
    using cache = create();
    const sequence = markedSequence(cache, 10);
    sequence.reserve(20);
    expect(cache.freePages).toBe(7);
    const promise = cache.swapOut(sequence);
    expect(sequence.released).toBe(true);
    const swapped = await promise;
    expect(swapped).toMatchObject({ tokens: 10, state: 'held' });
    expect(cache.freePages).toBe(12);
    using other = markedSequence(cache, 30, 1000);
    const back = await cache.swapIn(swapped);
    expect(back).toMatchObject({ length: 10, released: false });
    expect(wrongTokens(cache, back)).toEqual([]);
    expect(wrongTokens(cache, other, 1000)).toEqual([]);
    expect(swapped.state).toBe('gone');
    expect(back.append(1).added).toHaveLength(0);
  });

  it('may be empty', async () => {
    using cache = create();
    const swapped = await cache.swapOut(cache.allocateSequence(0));
    expect(swapped).toMatchObject({ tokens: 0, bytes: 0 });
    expect((await cache.swapIn(swapped)).length).toBe(0);
  });

  it('leaves shared pages with those who share them', async () => {
    using cache = create();
    const parent = markedSequence(cache, 10);
    const child = parent.fork();
    const swapped = await cache.swapOut(parent);
    expect(cache.statistics().pages).toMatchObject({ used: 3, shared: 0 });
    expect(wrongTokens(cache, child)).toEqual([]);
    const back = await cache.swapIn(swapped);
    expect(cache.statistics().pages).toMatchObject({ used: 6, shared: 0 });
    expect(wrongTokens(cache, back)).toEqual([]);
  });

  it('keeps published pages findable', async () => {
    using cache = create();
    const prefix = cache.prefix({ model: 'test' }, { tokens: [1, 2, 3, 4, 5, 6, 7, 8] });
    const sequence = markedSequence(cache, 8);
    sequence.publish(prefix);
    const swapped = await cache.swapOut(sequence);
    expect(cache.reusableTokens(prefix, { leaveLast: false })).toBe(8);
    using found = cache.openSequence(prefix, { leaveLast: false });
    const back = await cache.swapIn(swapped);
    expect([wrongTokens(cache, found), wrongTokens(cache, back)]).toEqual([[], []]);
    expect(back.publish(prefix)).toBe(0);
  });

  it('keeps the gaps of its window', async () => {
    using cache = create();
    const sequence = markedSequence(cache, 23);
    expect(sequence.releaseOutside({ window: 6, sinks: 3 })).toBe(3);
    const swapped = await cache.swapOut(sequence);
    expect(swapped.bytes).toBeLessThan(cache.statistics().bytes.perPage * 4);
    const back = await cache.swapIn(swapped);
    expect(back.pages.map((page) => page >= 0)).toEqual([true, false, false, false, true, true]);
    expect(wrongTokens(cache, back)).toEqual([]);
    expect(back.releaseOutside({ window: 6, sinks: 3 })).toBe(0);
  });

  it('is swapped in once, by the cache that swapped it out', async () => {
    using cache = create();
    using other = create();
    const swapped = await cache.swapOut(markedSequence(cache, 5));
    expect(await codeOf(() => other.swapIn(swapped))).toBe('INVALID_ARGUMENT');
    const promise = cache.swapIn(swapped);
    expect(swapped.state).toBe('returning');
    swapped.dispose();
    expect(await codeOf(() => cache.swapIn(swapped))).toBe('INVALID_ARGUMENT');
    expect(wrongTokens(cache, await promise)).toEqual([]);
    expect(await codeOf(() => cache.swapIn(swapped))).toBe('INVALID_ARGUMENT');
  });

  it('gives its host memory back when it is disposed, once', async () => {
    using cache = create();
    const swapped = await cache.swapOut(markedSequence(cache, 5));
    expect(cache.statistics().host).toMatchObject({ heldSequences: 1, heldBytes: swapped.bytes });
    swapped.dispose();
    swapped[Symbol.dispose]();
    expect(swapped.state).toBe('gone');
    expect(cache.statistics().host).toMatchObject({ heldSequences: 0, heldBytes: 0 });
    expect(await codeOf(() => cache.swapIn(swapped))).toBe('INVALID_ARGUMENT');
  });
});

describe('a swap that is refused changes nothing', () => {
  it('when the budget is exceeded', async () => {
    using cache = create({ hostBytes: 1000 });
    const sequence = markedSequence(cache, 20);
    const error: unknown = await cache.swapOut(sequence).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HostBudgetError);
    expect(error).toMatchObject({ have: expect.any(Number) as number, budget: 1000 });
    expect((error as HostBudgetError).need).toBeGreaterThan((error as HostBudgetError).have);
    expect(wrongTokens(cache, sequence)).toEqual([]);
    expect(cache.statistics().host).toMatchObject({ swapsOut: 0, heldBytes: 0, reservedBytes: 0, inFlight: 0 });
  });

  it('when the pool is full', async () => {
    using cache = create();
    const swapped = await cache.swapOut(markedSequence(cache, 20));
    using sequence = markedSequence(cache, 40, 500);
    await expect(cache.swapIn(swapped)).rejects.toThrowError(CacheFullError);
    expect(swapped.state).toBe('held');
    sequence.release();
    expect(wrongTokens(cache, await cache.swapIn(swapped))).toEqual([]);
  });

  it('when a capture is under way, which goes on unharmed', async () => {
    using cache = create();
    const sequence = markedSequence(cache, 9);
    const swapped = await cache.swapOut(markedSequence(cache, 5, 100));
    const refused: Promise<unknown>[] = [];
    using recording = record('cpu', () => {
      refused.push(cache.swapOut(sequence), cache.swapIn(swapped), cache.saveSequence(sequence, '/nowhere/x'));
      refused.push(cache.restoreSequence('/nowhere/x'));
    });
    for (const result of await Promise.allSettled(refused)) {
      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(CaptureViolationError) as Error });
    }
    expect(recording.nodeCount).toBe(0);
    expect([swapped.state, sequence.released]).toEqual(['held', false]);
    expect(wrongTokens(cache, sequence)).toEqual([]);
  });

  it('for a sequence that was released, or is of another cache', async () => {
    using cache = create();
    using other = create();
    const sequence = other.allocateSequence(3);
    expect(await codeOf(() => cache.swapOut(sequence))).toBe('INVALID_ARGUMENT');
    expect(sequence.released).toBe(false);
    sequence.release();
    expect(await codeOf(() => other.swapOut(sequence))).toBe('DISPOSED');
    expect(() => PagedCache.create({ ...small, hostBytes: -1 })).toThrowError('hostBytes');
  });
});

describe('a swap under way', () => {
  it('follows the ops, and frees pages as they leave, the last ones first', async () => {
    using cache = create(pieceByPiece);
    const sequence = cache.allocateSequence(5 * 16);
    const before = [...sequence.pages];
    const marks: (() => void)[] = (gate.marks = []);
    const promise = cache.swapOut(sequence);
    expect(gate.calls).toEqual(['follow', 'follow']);
    expect(marks).toHaveLength(5);
    expect(cache.statistics()).toMatchObject({ pages: { used: 5 }, host: { inFlight: 1, heldSequences: 0 } });
    marks[1]?.(); // the second piece arrives first: its page waits for that of the first
    await new Promise((resolve) => setImmediate(resolve));
    expect(cache.freePages).toBe(3);
    marks[0]?.();
    await vi.waitFor(() => expect(cache.freePages).toBe(5));
    using reused = cache.allocateSequence(32);
    expect(reused.pages).toEqual(before.slice(3)); // released last page first, taken first page first
    marks.slice(2).forEach((mark) => mark());
    expect((await promise).tokens).toBe(80);
    expect(cache.freePages).toBe(6);
  });

  it('hands a sequence back when all of it has arrived', async () => {
    using cache = create(pieceByPiece);
    const swapped = await cache.swapOut(cache.allocateSequence(48));
    const marks: (() => void)[] = (gate.marks = []);
    let isBack = false;
    const promise = cache.swapIn(swapped).then(() => (isBack = true));
    expect(cache.freePages).toBe(5);
    marks.slice(0, 2).forEach((mark) => mark());
    await new Promise((resolve) => setImmediate(resolve));
    expect([isBack, swapped.state]).toEqual([false, 'returning']);
    marks[2]?.();
    await promise;
    expect(isBack).toBe(true);
  });

  it('waits for its turn when many are under way', async () => {
    using cache = create({ pages: 40 });
    const sequences = Array.from({ length: 9 }, (_, index) => markedSequence(cache, 7, 100 * index));
    const marks: (() => void)[] = (gate.marks = []);
    const promise = Promise.all(sequences.map((sequence) => cache.swapOut(sequence)));
    expect(marks).toHaveLength(4);
    const timer = setInterval(() => marks.splice(0, 1).forEach((mark) => mark()));
    const swapped = await promise;
    clearInterval(timer);
    gate.marks = undefined;
    const back = await Promise.all(swapped.reverse().map((one) => cache.swapIn(one)));
    back.reverse().forEach((one, index) => expect(wrongTokens(cache, one, 100 * index)).toEqual([]));
    expect(cache.statistics().host).toMatchObject({ swapsOut: 9, swapsIn: 9, inFlight: 0, heldBytes: 0 });
  });

  it('keeps the queue of the device short: the next piece is enqueued when an earlier one has arrived', async () => {
    using cache = create({ stagingBytes: 1, pages: 40 });
    const sequence = markedSequence(cache, 80);
    const marks: (() => void)[] = (gate.marks = []);
    const promise = cache.swapOut(sequence);
    expect(marks).toHaveLength(16);
    marks[0]?.();
    await vi.waitFor(() => expect(marks).toHaveLength(17));
    expect(cache.freePages).toBe(21);
    for (let next = 1; next < 20; next += 1) {
      await vi.waitFor(() => expect(marks.length).toBeGreaterThan(next));
      marks[next]?.();
    }
    const swapped = await promise;
    gate.marks = undefined;
    expect(wrongTokens(cache, await cache.swapIn(swapped))).toEqual([]);
  });

  it('fails when the cache is disposed, which lets ops wait for it and leaks nothing', async () => {
    const leaks = leakReport().length;
    const cache = create(pieceByPiece);
    const held = await cache.swapOut(cache.allocateSequence(16));
    const marks: (() => void)[] = (gate.marks = []);
    const promise = cache.swapOut(cache.allocateSequence(33));
    gate.calls = [];
    cache.dispose();
    expect(gate.calls).toEqual(['hold', 'hold']);
    expect(held.state).toBe('gone');
    marks.forEach((mark) => mark());
    expect(await codeOf(() => promise)).toBe('DISPOSED');
    expect(await codeOf(() => cache.swapIn(held))).toBe('DISPOSED');
    held.dispose();
    expect(leakReport()).toHaveLength(leaks);
  });
});

describe('statistics of the host tier', () => {
  it('count swaps, bytes, what is held, what is reserved, and the budget', async () => {
    using cache = create();
    const { perPage } = cache.statistics().bytes;
    cache.reserveHost(50);
    const empty = cache.statistics().host;
    expect(empty).toMatchObject({
      swapsOut: 0,
      swapsIn: 0,
      bytesOut: 0,
      bytesIn: 0,
      heldBytes: 0,
      budgetBytes: 100_000,
    });
    expect(empty.reservedBytes).toBeGreaterThan(0);
    const swapped = await cache.swapOut(cache.allocateSequence(9));
    const { bytesOut, heldBytes, heldSequences, swapsOut } = cache.statistics().host;
    expect({ heldSequences, swapsOut, heldBytes }).toEqual({ heldSequences: 1, swapsOut: 1, heldBytes: swapped.bytes });
    expect(bytesOut).toBeGreaterThanOrEqual(3 * perPage);
    await cache.swapIn(swapped);
    expect(cache.statistics().host).toMatchObject({ swapsIn: 1, bytesIn: bytesOut, heldSequences: 0, heldBytes: 0 });
  });

  it('are what measureSwap measures with', async () => {
    using cache = create();
    const { bytes, outSeconds, inSeconds, ...speeds } = await measureSwap(cache, {
      tokens: 9,
      sequences: 2,
      rounds: 3,
    });
    expect(bytes).toBeGreaterThanOrEqual(6 * cache.statistics().bytes.perPage);
    expect([outSeconds.length, inSeconds.length]).toEqual([3, 3]);
    for (const speed of Object.values(speeds)) expect(speed).toBeGreaterThan(0);
    expect(cache.statistics().pages.used).toBe(0);
    expect(await codeOf(() => measureSwap(cache, { tokens: 0 }))).toBe('INVALID_ARGUMENT');
  });
});
