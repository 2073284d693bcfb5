// How fast sequences travel between pages and host memory on this machine.

import { requireCount } from '../argument-checks.js';
import type { PagedCache } from '../paged-cache.js';

/** Speed of swaps. */
export interface SwapMeasurement {
  /** Bytes that crossed the link each way in one round. */
  readonly bytes: number;
  /** Seconds of each round, from the call until the promise resolved. */
  readonly outSeconds: readonly number[];
  readonly inSeconds: readonly number[];
  /** Gigabytes (10⁹ bytes) a second, of the median round. */
  readonly outGigabytesPerSecond: number;
  readonly inGigabytesPerSecond: number;
}

/**
 * Swaps a sequence of `tokens` tokens out and in, `rounds` times. Buffers are taken before the clock starts.
 *
 * @param options.tokens - length of each sequence, in tokens
 * @param options.sequences - swapped at once; default 1
 * @param options.rounds - default 5
 * @throws {CacheFullError} the cache has too few pages
 * @throws {HostBudgetError} its host tier is too small
 * @throws {InvalidArgumentError} a count is out of range
 *
 * @example
 * const shape = { layers: 30, keyValueHeads: 32, headSize: 128, dtype: 'bf16' } as const;
 * using cache = PagedCache.create({ ...shape, pages: 128, hostBytes: 2 ** 30, device: 'cuda' });
 * const { outGigabytesPerSecond } = await measureSwap(cache, { tokens: 2048 });
 */
export async function measureSwap(
  cache: PagedCache,
  options: { readonly tokens: number; readonly sequences?: number; readonly rounds?: number },
): Promise<SwapMeasurement> {
  const { tokens, sequences: count = 1, rounds = 5 } = options;
  requireCount('measureSwap', 'tokens', tokens, 1);
  requireCount('measureSwap', 'sequences', count, 1);
  requireCount('measureSwap', 'rounds', rounds, 1);
  let live = Array.from({ length: count }, () => cache.allocateSequence(tokens));
  try {
    const [outSeconds, inSeconds]: [number[], number[]] = [[], []];
    const before = cache.statistics().host;
    for (let round = -1; round < rounds; round += 1) {
      const start = performance.now();
      const swapped = await Promise.all(live.map((sequence) => cache.swapOut(sequence)));
      const middle = performance.now();
      live = await Promise.all(swapped.map((sequence) => cache.swapIn(sequence)));
      const end = performance.now();
      if (round < 0) continue; // the first round takes buffers and loads kernels
      outSeconds.push((middle - start) / 1000);
      inSeconds.push((end - middle) / 1000);
    }
    const bytes = (cache.statistics().host.bytesOut - before.bytesOut) / (rounds + 1);
    return {
      bytes,
      outSeconds,
      inSeconds,
      outGigabytesPerSecond: bytes / 1e9 / median(outSeconds),
      inGigabytesPerSecond: bytes / 1e9 / median(inSeconds),
    };
  } finally {
    for (const sequence of live) sequence.release();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
