// Random histories against a naive model: each sequence is a plain array of tokens, and page memory is an array that
// is written through slot() and copied exactly as reported. If the accounting loses, shares or overwrites a token,
// some sequence no longer reads back what it was given.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { CacheFullError } from './errors/cache-full-error.js';
import { PagePool } from './page-pool.js';
import { SequencePages, type PageChange } from './sequence-pages.js';

type Action = readonly [
  kind: 'allocate' | 'append' | 'reserve' | 'fork' | 'truncate' | 'release',
  pick: number,
  size: number,
];

interface Twin {
  readonly real: SequencePages;
  tokens: number[];
}

class History {
  readonly pool: PagePool;
  readonly memory: number[];
  readonly twins: Twin[] = [];
  #nextToken = 1;

  constructor(pages: number, pageSize: number) {
    this.pool = new PagePool({ pages, pageSize });
    this.memory = new Array<number>(pages * pageSize).fill(0);
  }

  run([kind, pick, size]: Action): void {
    const twin = this.twins[pick % Math.max(1, this.twins.length)];
    if (kind === 'allocate' || twin === undefined) return this.allocate(size);
    if (kind === 'append') return this.grow(twin, twin.real.length + size, () => twin.real.append(size), size);
    if (kind === 'reserve') return this.grow(twin, size, () => twin.real.reserve(size), 0);
    if (kind === 'fork') {
      this.twins.push({ real: twin.real.fork(), tokens: [...twin.tokens] });
    } else if (kind === 'truncate') {
      const length = size % (twin.tokens.length + 1);
      twin.real.truncate(length);
      twin.tokens = twin.tokens.slice(0, length);
    } else {
      twin.real.release();
      this.twins.splice(this.twins.indexOf(twin), 1);
    }
  }

  allocate(size: number): void {
    const need = Math.ceil(size / this.pool.pageSize);
    const real = this.attempt(need, () => SequencePages.allocate(this.pool, size));
    if (real === undefined) return;
    const twin: Twin = { real, tokens: [] };
    this.twins.push(twin);
    this.write(twin, size);
  }

  grow(twin: Twin, target: number, act: () => PageChange, writes: number): void {
    const { real } = twin;
    const change = this.attempt(this.pagesNeeded(real, target), act);
    if (change === undefined) return;
    const { pageSize } = this.pool;
    for (const { from, to, tokens } of change.copies) {
      for (let offset = 0; offset < tokens; offset += 1) {
        this.memory[to * pageSize + offset] = this.memory[from * pageSize + offset] ?? NaN;
      }
    }
    this.write(twin, writes);
  }

  /** Pages a growth must take, counted by looking at every other sequence. */
  pagesNeeded(real: SequencePages, target: number): number {
    if (target <= real.length) return 0;
    const next = real.pages[Math.floor(real.length / this.pool.pageSize)];
    const shared = this.twins.some(
      (other) => other.real !== real && next !== undefined && other.real.pages.includes(next),
    );
    return Math.max(0, Math.ceil(target / this.pool.pageSize) - real.pages.length) + (shared ? 1 : 0);
  }

  /** Runs `act`; it must throw CacheFullError exactly when too few pages are free, and then change nothing. */
  attempt<T>(need: number, act: () => T): T | undefined {
    const { free } = this.pool;
    if (need <= free) {
      const result = act();
      // Comparing before calling expect, here and in check(), keeps a quarter of a million steps within seconds.
      if (free - this.pool.free !== need) expect(free - this.pool.free).toBe(need);
      return result;
    }
    const before = this.snapshot();
    expect(act).toThrowError(CacheFullError);
    expect(act).toThrowError(`expected at least ${need} free pages, got ${free} `);
    expect(this.snapshot()).toBe(before);
    return undefined;
  }

  write(twin: Twin, count: number): void {
    for (let index = 0; index < count; index += 1) {
      const { page, offset } = twin.real.slot(twin.tokens.length);
      this.memory[page * this.pool.pageSize + offset] = this.#nextToken;
      twin.tokens.push(this.#nextToken);
      this.#nextToken += 1;
    }
  }

  snapshot(): string {
    return JSON.stringify([this.twins.map(({ real }) => [real.length, real.pages]), this.pool.statistics()]);
  }

  check(): void {
    const holders = new Array<number>(this.pool.total).fill(0);
    for (const { real, tokens } of this.twins) {
      for (const page of real.pages) holders[page] = (holders[page] ?? 0) + 1;
      const read = tokens.map((_, position) => {
        const { page, offset } = real.slot(position);
        return this.memory[page * this.pool.pageSize + offset];
      });
      if (real.length !== tokens.length || read.some((token, index) => token !== tokens[index])) {
        expect({ length: real.length, read }).toEqual({ length: tokens.length, read: tokens });
      }
    }
    const used = holders.filter((count) => count > 0).length;
    const shared = holders.filter((count) => count > 1).length;
    const { total, ...counts } = this.pool.statistics();
    if (counts.used !== used || counts.shared !== shared || counts.free + used !== total) {
      expect(counts).toEqual({ free: total - used, used, shared });
    }
    const wrong = holders.findIndex((count, page) => this.pool.references(page) !== count);
    if (wrong >= 0)
      expect({ page: wrong, references: this.pool.references(wrong) }).toEqual({
        page: wrong,
        references: holders[wrong],
      });
  }
}

const action: fc.Arbitrary<Action> = fc.tuple(
  fc.constantFrom('allocate', 'append', 'append', 'append', 'reserve', 'fork', 'truncate', 'release'),
  fc.nat(7),
  fc.nat(9),
);
const history = fc.tuple(
  fc.integer({ min: 1, max: 12 }),
  fc.integer({ min: 1, max: 5 }),
  fc.array(action, { maxLength: 40, size: 'max' }),
);

describe('SequencePages · random histories', () => {
  it.each([1, 7, 1234, 99991])('agrees with the naive model over 3000 histories of seed %d', (seed) => {
    let actions = 0;
    fc.assert(
      fc.property(history, ([pages, pageSize, steps]) => {
        const run = new History(pages, pageSize);
        for (const step of steps) {
          run.run(step);
          run.check();
        }
        actions += steps.length;
        for (const { real } of run.twins) real.release();
        expect(run.pool.free).toBe(pages);
      }),
      { seed, numRuns: 3000 },
    );
    expect(actions).toBeGreaterThan(30_000);
  });
});
