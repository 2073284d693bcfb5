// Random histories of sequences that come, grow, fork, are swapped and saved: every token keeps its bytes throughout, in
// every storage format and layout, and no page or host slot is ever lost.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LimenError } from '@limen/tensor';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { bytesPerToken } from '../cache-plan.js';
import type { CacheSequence } from '../cache-sequence.js';
import { PagedCache } from '../paged-cache.js';
import { type CacheDType, cacheFormats } from '../storage-formats.js';
import { hasMark, markToken } from '../testing/marked-tokens.js';
import type { SwappedSequence } from './swapped-sequence.js';

const folder = mkdtempSync(join(tmpdir(), 'limen-host-tier-'));
afterAll(() => rmSync(folder, { recursive: true }));

const kinds = [
  'allocate',
  'append',
  'append',
  'fork',
  'truncate',
  'window',
  'release',
  'swapOut',
  'swapOut',
  'swapIn',
  'swapIn',
  'save',
  'restore',
  'discard',
] as const;
type Action = readonly [kind: (typeof kinds)[number], pick: number, size: number];

/** A sequence and the mark of each of its tokens. */
interface Twin<Real> {
  readonly real: Real;
  marks: number[];
}

interface Sizes {
  readonly layout: 'NHD' | 'HND';
  readonly pages: number;
  readonly pageSize: number;
  readonly hostPages: number;
  /** Pages of a piece. */
  readonly stagedPages: number;
}

class History {
  readonly cache: PagedCache;
  readonly live: Twin<CacheSequence>[] = [];
  readonly swapped: Twin<SwappedSequence>[] = [];
  readonly files: Twin<string>[] = [];
  #nextMark = 1;
  refused = 0;

  constructor(dtype: CacheDType, { layout, pages, pageSize, hostPages, stagedPages }: Sizes) {
    const shape = { layers: 2, keyValueHeads: 2, headSize: 6, dtype, layout, pages, pageSize };
    // Room for so many images: up to 32 bytes of gaps and a page number each.
    const imageBytes = bytesPerToken(shape) * pageSize + 32;
    const [hostBytes, stagingBytes] = [hostPages * (imageBytes + 4), stagedPages * imageBytes];
    this.cache = PagedCache.create({ ...shape, hostBytes, stagingBytes });
  }

  async run([kind, pick, size]: Action): Promise<void> {
    const twin = this.live[pick % Math.max(1, this.live.length)];
    if (kind === 'swapIn' || kind === 'discard') return this.leaveHost(kind, pick);
    if (kind === 'restore') return this.restore(pick);
    if (kind === 'allocate' || twin === undefined) return this.allocate(size);
    const { real, marks } = twin;
    if (kind === 'append') {
      await this.attempt(() => void (real.append(size), this.mark(twin, size)));
    } else if (kind === 'fork') {
      this.live.push({ real: real.fork(), marks: [...marks] });
    } else if (kind === 'truncate') {
      const length = size % (marks.length + 1);
      await this.attempt(() => void (real.truncate(length), (twin.marks = marks.slice(0, length))));
    } else if (kind === 'window') {
      real.releaseOutside({ window: 1 + size, sinks: pick });
    } else if (kind === 'release') {
      real.release();
      this.live.splice(this.live.indexOf(twin), 1);
    } else if (kind === 'swapOut') {
      const result = await this.attempt(() => this.cache.swapOut(real));
      if (result === undefined) return expect(real.released).toBe(false);
      this.live.splice(this.live.indexOf(twin), 1);
      this.swapped.push({ real: result, marks });
    } else {
      const path = join(folder, `sequence-${this.files.length}`);
      const bytes = await this.attempt(() => this.cache.saveSequence(real, path));
      if (bytes === undefined) expect(real.pages).toContain(-1);
      else this.files.push({ real: path, marks: [...marks] });
    }
  }

  async allocate(size: number): Promise<void> {
    const real = await this.attempt(() => this.cache.allocateSequence(size));
    if (real === undefined) return;
    const twin: Twin<CacheSequence> = { real, marks: [] };
    this.live.push(twin);
    this.mark(twin, size);
  }

  async leaveHost(kind: 'swapIn' | 'discard', pick: number): Promise<void> {
    const twin = this.swapped[pick % Math.max(1, this.swapped.length)];
    if (twin === undefined) return;
    if (kind === 'discard') {
      twin.real.dispose();
    } else {
      const real = await this.attempt(() => this.cache.swapIn(twin.real));
      if (real === undefined) return expect(twin.real.state).toBe('held');
      this.live.push({ real, marks: twin.marks });
    }
    this.swapped.splice(this.swapped.indexOf(twin), 1);
  }

  async restore(pick: number): Promise<void> {
    const file = this.files[pick % Math.max(1, this.files.length)];
    if (file === undefined) return;
    const real = await this.attempt(() => this.cache.restoreSequence(file.real));
    if (real !== undefined) this.live.push({ real, marks: [...file.marks] });
  }

  /** Runs a step that may be refused with a typed error, which must not change the pages. */
  async attempt<T>(step: () => T | Promise<T>): Promise<T | undefined> {
    const before = JSON.stringify(this.cache.statistics().pages);
    try {
      return await step();
    } catch (error) {
      if (!LimenError.isInstance(error)) throw error;
      expect(['CACHE_FULL', 'HOST_BUDGET_EXCEEDED', 'INVALID_ARGUMENT']).toContain(error.code);
      expect(JSON.stringify(this.cache.statistics().pages)).toBe(before);
      this.refused += 1;
      return undefined;
    }
  }

  mark(twin: Twin<CacheSequence>, count: number): void {
    for (let index = 0; index < count; index += 1) {
      markToken(this.cache.memory, twin.real, twin.marks.length, this.#nextMark);
      twin.marks.push(this.#nextMark++);
    }
  }

  check(): void {
    const { cache } = this;
    const held = new Set<number>();
    for (const { real, marks } of this.live) {
      expect(real.length).toBe(marks.length);
      real.pages.filter((page) => page >= 0).forEach((page) => held.add(page));
      const wrong = marks.findIndex((mark, position) => {
        const isHeld = (real.pages[Math.floor(position / cache.shape.pageSize)] ?? -1) >= 0;
        return isHeld && !hasMark(cache.memory, real, position, mark);
      });
      if (wrong >= 0) expect({ wrong }).toEqual({ wrong: -1 });
    }
    const { pages, host } = cache.statistics();
    expect(pages).toMatchObject({ used: held.size, free: pages.total - held.size });
    expect(host).toMatchObject({
      heldSequences: this.swapped.length,
      heldBytes: this.swapped.reduce((sum, { real }) => sum + real.bytes, 0),
      inFlight: 0,
    });
    expect(host.heldBytes).toBeLessThanOrEqual(host.budgetBytes);
  }
}

const history = fc.record({
  layout: fc.constantFrom('NHD' as const, 'HND' as const),
  pages: fc.integer({ min: 1, max: 14 }),
  pageSize: fc.integer({ min: 1, max: 5 }),
  hostPages: fc.nat(8),
  stagedPages: fc.integer({ min: 1, max: 3 }),
  steps: fc.array(fc.tuple(fc.constantFrom(...kinds), fc.nat(5), fc.nat(9)), {
    minLength: 15,
    maxLength: 40,
    size: 'max',
  }),
});

describe('PagedCache · random histories with swaps and files', () => {
  it.each(Object.keys(cacheFormats) as CacheDType[])('keeps every token in %s', async (dtype) => {
    const totals = { swapsOut: 0, swapsIn: 0, saved: 0, refused: 0 };
    const property = fc.asyncProperty(history, async ({ steps, ...sizes }) => {
      const run = new History(dtype, sizes);
      for (const step of steps) {
        await run.run(step);
        run.check();
      }
      const { swapsOut, swapsIn } = run.cache.statistics().host;
      totals.swapsOut += swapsOut;
      totals.swapsIn += swapsIn;
      totals.saved += run.files.length;
      totals.refused += run.refused;
      run.cache.dispose();
    });
    await fc.assert(property, { seed: 29, numRuns: 150 });
    expect(totals.swapsIn).toBeGreaterThan(50);
    expect(totals.saved).toBeGreaterThan(50);
    expect(totals.refused).toBeGreaterThan(50);
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});
