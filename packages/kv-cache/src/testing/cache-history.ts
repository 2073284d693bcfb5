// Plays a history of operations on the real accounting and on a naive model side by side. Page memory is an array that
// is written through slot() and copied exactly as reported. If the accounting loses, shares or overwrites a token, some
// sequence no longer reads back what it was given.

import { expect } from 'vitest';

import { CacheFullError } from '../errors/cache-full-error.js';
import { PagePool } from '../page-pool.js';
import { noPage } from '../page-table.js';
import type { PrefixChain } from '../prefix-chain.js';
import { PrefixIndex } from '../prefix-index.js';
import type { PrefixPin } from '../prefix-pin.js';
import { type PageChange, SequencePages } from '../sequence-pages.js';
import { Beginnings, type Content } from './beginnings.js';
import { NaivePool } from './naive-pool.js';

/** Operations of a history. */
export const actionKinds = [
  'allocate',
  'open',
  'append',
  'reserve',
  'fork',
  'truncate',
  'release',
  'window',
  'publish',
  'pin',
  'unpin',
  'clear',
] as const;

/** One operation: on which sequence, how large, and which of a few contents. */
export interface Action {
  readonly kind: (typeof actionKinds)[number];
  readonly pick: number;
  readonly size: number;
  readonly content: Content;
}

/** A sequence and what the model knows of it. */
interface Twin {
  readonly real: SequencePages;
  readonly chain: PrefixChain;
  /** What stands at each position, as a number for everything up to there. */
  beginnings: number[];
  pages: number[];
  /** Leading pages that publishing has looked at. */
  dealt: number;
  /** Pages given back lie in `[first, end)`; `shortest` is the shortest length beyond them. */
  gaps: { readonly first: number; readonly end: number; readonly shortest: number };
}

const noGaps = { first: Infinity, end: 0, shortest: 0 };

/** A history under way. */
export class CacheHistory {
  readonly pool: PagePool;
  readonly index: PrefixIndex;
  readonly model: NaivePool;
  readonly memory: number[];
  readonly names = new Beginnings();
  readonly twins: Twin[] = [];
  readonly pins: PrefixPin[] = [];
  readonly lookups = { lookups: 0, hits: 0, tokens: 0, tokensReused: 0 };

  constructor(pages: number, pageSize: number) {
    this.pool = new PagePool({ pages, pageSize });
    this.index = new PrefixIndex(this.pool);
    this.model = new NaivePool(pages);
    this.memory = new Array<number>(pages * pageSize).fill(-1);
  }

  run({ kind, pick, size, content }: Action): void {
    const twin = this.twins[pick % Math.max(1, this.twins.length)];
    if (kind === 'allocate') return this.allocate(size, content);
    if (kind === 'open') return this.open(size, content);
    if (kind === 'pin') return this.pin(size, content);
    if (kind === 'unpin') return this.unpin(pick);
    if (kind === 'clear') return this.clear(size);
    if (twin === undefined) return;
    if (kind === 'append') this.grow(twin, twin.real.length + size, () => twin.real.append(size), size, content);
    else if (kind === 'reserve') this.grow(twin, size, () => twin.real.reserve(size), 0, content);
    else if (kind === 'fork') this.fork(twin);
    else if (kind === 'truncate') this.truncate(twin, size % (twin.beginnings.length + 1));
    else if (kind === 'release') this.release(twin);
    else if (kind === 'window') this.releaseOutside(twin, 1 + (size % 5), pick % 4);
    else this.publish(twin);
  }

  allocate(size: number, content: Content): void {
    const need = Math.ceil(size / this.pool.pageSize);
    const real = this.attempt(need, () => SequencePages.allocate(this.pool, size));
    if (real === undefined) return;
    const twin = this.admit(real, this.names.chain(content, this.pool.pageSize), []);
    this.take(twin, real.pages);
    this.write(twin, size, content);
  }

  /** Opens what is known of a prompt, appends the rest and, like an engine, gives up when there is no room. */
  open(size: number, content: Content): void {
    const { pageSize } = this.pool;
    const chain = this.names.chain(content, pageSize);
    const beginnings = this.names.extend(chain, [], content, size);
    const leaveLast = !content.whole;
    const found = this.find(size, content, leaveLast);
    expect(this.index.find(chain, { leaveLast })).toEqual(found);
    const real = this.index.open(chain, { leaveLast });
    const reused = found.length * pageSize;
    this.lookups.lookups += 1;
    this.lookups.hits += reused > 0 ? 1 : 0;
    this.lookups.tokens += size;
    this.lookups.tokensReused += reused;
    const twin = this.admit(real, chain, beginnings.slice(0, reused));
    for (const page of found) this.model.retain(page);
    twin.pages = [...found];
    twin.dealt = found.length;
    if (!this.grow(twin, size, () => real.append(size - reused), 0, content)) return this.release(twin);
    for (const beginning of beginnings.slice(reused)) this.store(twin, beginning);
    this.publish(twin);
  }

  /** The longest run of pages that the model knows. */
  find(size: number, content: Content, leaveLast: boolean): number[] {
    const { pageSize } = this.pool;
    const beginnings = this.names.extend(this.names.chain(content, pageSize), [], content, size);
    const found: number[] = [];
    for (let end = pageSize; end <= (leaveLast ? size - 1 : size); end += pageSize) {
      const page = this.model.published.get(beginnings[end - 1] ?? -1);
      if (page === undefined) break;
      found.push(page);
    }
    return found;
  }

  grow(twin: Twin, target: number, act: () => PageChange, writes: number, content: Content): boolean {
    const { pageSize } = this.pool;
    const length = twin.beginnings.length;
    const next = twin.pages[Math.floor(length / pageSize)];
    const readOnly = next !== undefined && (this.model.references(next) > 1 || this.model.isPublished(next));
    const mustCopy = target > length && readOnly;
    const missing = target > length ? Math.max(0, Math.ceil(target / pageSize) - twin.pages.length) : 0;
    const change = this.attempt(missing + (mustCopy ? 1 : 0), act);
    if (change === undefined) return false;
    expect(change.added.length).toBe(missing);
    expect(change.copies.length).toBe(mustCopy ? 1 : 0);
    for (const { from, to, tokens } of change.copies) {
      expect({ from, tokens }).toEqual({ from: next, tokens: length % pageSize });
      for (let offset = 0; offset < tokens; offset += 1) {
        this.memory[to * pageSize + offset] = this.memory[from * pageSize + offset] ?? NaN;
      }
      expect(this.model.state(to)).toBe('free');
      this.model.retain(to);
      this.model.release(from);
      twin.pages[Math.floor(length / pageSize)] = to;
    }
    this.take(twin, change.added);
    this.write(twin, writes, content);
    return true;
  }

  fork(twin: Twin): void {
    const child = this.admit(twin.real.fork(), twin.chain.fork(), [...twin.beginnings]);
    child.pages = twin.pages.slice(0, Math.ceil(twin.beginnings.length / this.pool.pageSize));
    child.dealt = twin.dealt;
    child.gaps = twin.gaps;
    for (const page of child.pages) if (page !== noPage) this.model.retain(page);
  }

  truncate(twin: Twin, length: number): void {
    const { pageSize } = this.pool;
    if (length > twin.gaps.first * pageSize && length < twin.gaps.shortest) {
      const before = this.snapshot();
      expect(() => twin.real.truncate(length)).toThrowError('reaches into pages that were given back');
      expect(this.snapshot()).toBe(before);
      return;
    }
    twin.real.truncate(length);
    twin.chain.truncate(length);
    this.cut(twin, length);
  }

  release(twin: Twin): void {
    twin.real.release();
    this.cut(twin, 0);
    this.twins.splice(this.twins.indexOf(twin), 1);
  }

  cut(twin: Twin, length: number): void {
    const kept = Math.ceil(length / this.pool.pageSize);
    while (twin.pages.length > kept) {
      const page = twin.pages.pop() ?? noPage;
      if (page !== noPage) this.model.release(page);
    }
    twin.beginnings = twin.beginnings.slice(0, length);
    twin.dealt = Math.min(twin.dealt, Math.floor(length / this.pool.pageSize));
    if (kept <= twin.gaps.first) twin.gaps = noGaps;
  }

  releaseOutside(twin: Twin, window: number, sinks: number): void {
    const { pageSize } = this.pool;
    const outside = twin.pages
      .map((_, page) => page)
      .filter((page) => page * pageSize >= sinks && (page + 1) * pageSize <= twin.beginnings.length - window);
    const given = outside.filter((page) => twin.pages[page] !== noPage).reverse();
    expect(twin.real.releaseOutside({ window, sinks })).toBe(given.length);
    for (const page of given) {
      this.model.release(twin.pages[page] ?? noPage);
      twin.pages[page] = noPage;
    }
    const [first, last] = [outside[0], outside.at(-1)];
    if (first === undefined || last === undefined) return;
    const end = Math.max(last + 1, twin.gaps.end);
    const shortest = end > twin.gaps.end ? end * pageSize + window - 1 : twin.gaps.shortest;
    twin.gaps = { first: Math.min(first, twin.gaps.first), end, shortest };
  }

  publish(twin: Twin): void {
    const { pageSize } = this.pool;
    const full = Math.floor(twin.beginnings.length / pageSize);
    let added = 0;
    for (; twin.dealt < full; twin.dealt += 1) {
      const page = twin.pages[twin.dealt] ?? noPage;
      const beginning = twin.beginnings[(twin.dealt + 1) * pageSize - 1] ?? -1;
      if (page === noPage || this.model.published.has(beginning)) continue;
      this.model.published.set(beginning, page);
      added += 1;
    }
    expect(this.index.publish(twin.real, twin.chain)).toBe(added);
  }

  pin(size: number, content: Content): void {
    const chain = this.names.chain(content, this.pool.pageSize);
    this.names.extend(chain, [], content, size);
    const found = this.find(size, content, false);
    const pin = this.index.pin(chain);
    expect(pin.pages).toEqual(found);
    for (const page of found) this.model.pin(page);
    this.pins.push(pin);
  }

  unpin(pick: number): void {
    const [pin] = this.pins.splice(pick % Math.max(1, this.pins.length), 1);
    if (pin === undefined) return;
    pin.release();
    for (const page of [...pin.pages].reverse()) this.model.unpin(page);
  }

  /** Rarely, so that there is something to forget. */
  clear(size: number): void {
    if (size !== 0) return;
    const known = this.model.published.size;
    this.model.clear();
    expect(this.index.clear()).toBe(known - this.model.published.size);
  }

  admit(real: SequencePages, chain: PrefixChain, beginnings: number[]): Twin {
    const twin: Twin = { real, chain, beginnings, pages: [], dealt: 0, gaps: noGaps };
    this.twins.push(twin);
    return twin;
  }

  /** Counts pages that a sequence got at its end; they must have been free, or just given up. */
  take(twin: Twin, pages: readonly number[]): void {
    for (const page of pages) {
      if (this.model.state(page) !== 'free') expect(this.model.state(page)).toBe('free');
      this.model.retain(page);
      twin.pages.push(page);
    }
  }

  /** Runs `act`; it must throw CacheFullError exactly when too few pages are free or evictable, and change nothing. */
  attempt<T>(need: number, act: () => T): T | undefined {
    const [free, evictable] = [this.model.pages('free').length, this.model.evictable.length];
    if (need <= free + evictable) {
      this.model.makeRoom(need);
      return act();
    }
    const before = this.snapshot();
    expect(act).toThrowError(CacheFullError);
    expect(act).toThrowError(`expected at least ${need} free pages, got ${free} (${evictable} evictable)`);
    expect(this.snapshot()).toBe(before);
    return undefined;
  }

  write(twin: Twin, count: number, content: Content): void {
    for (const beginning of this.names.extend(twin.chain, twin.beginnings, content, count)) this.store(twin, beginning);
  }

  store(twin: Twin, beginning: number): void {
    const { page, offset } = twin.real.slot(twin.beginnings.length);
    this.memory[page * this.pool.pageSize + offset] = beginning;
    twin.beginnings.push(beginning);
  }

  snapshot(): string {
    const sequences = this.twins.map(({ real }) => [real.length, real.pages]);
    return JSON.stringify([sequences, this.pool.statistics(), this.pool.evictionOrder(), this.index.size]);
  }

  /** Compares everything that can be seen. Comparing before calling expect keeps this within seconds. */
  check(): void {
    for (const { real, pages, beginnings } of this.twins) {
      const read = pages.flatMap((page, index) => this.contentOf(page, index, beginnings.length));
      const wrong = read.some((beginning, position) => beginning !== undefined && beginning !== beginnings[position]);
      const same = pages.length === real.pages.length && pages.every((page, index) => page === real.pages[index]);
      if (wrong || !same || real.length !== beginnings.length) {
        expect({ read, pages: real.pages, length: real.length }).toEqual({
          read: beginnings,
          pages,
          length: beginnings.length,
        });
      }
    }
    const seen = [this.pool.statistics(), this.pool.evictionOrder(), this.pageFacts()];
    const expected = [this.model.statistics(), this.model.evictable, this.modelFacts()];
    if (JSON.stringify(seen) !== JSON.stringify(expected)) expect(seen).toEqual(expected);
    const { total, free, used, cached } = this.pool.statistics();
    if (free + used + cached !== total) expect(free + used + cached).toBe(total);
    const { hitRate: _, ...counts } = this.index.statistics();
    const wanted = { pages: this.model.published.size, ...this.lookups, evictions: this.model.evictions };
    if (JSON.stringify(counts) !== JSON.stringify(wanted)) expect(counts).toEqual(wanted);
  }

  /** What page memory holds for the tokens in a page; undefined where a window has given it back. */
  contentOf(page: number, index: number, length: number): (number | undefined)[] {
    const { pageSize } = this.pool;
    const here = Math.max(0, Math.min(pageSize, length - index * pageSize));
    return Array.from({ length: here }, (_, offset) =>
      page === noPage ? undefined : this.memory[page * pageSize + offset],
    );
  }

  pageFacts(): unknown[] {
    const { pool } = this;
    return Array.from({ length: pool.total }, (_, page) => [
      pool.references(page),
      pool.state(page),
      pool.isPublished(page),
      pool.isPinned(page),
    ]);
  }

  modelFacts(): unknown[] {
    const { model } = this;
    return Array.from({ length: model.total }, (_, page) => [
      model.references(page),
      model.state(page),
      model.isPublished(page),
      model.pins.includes(page),
    ]);
  }

  /** Ends everything; all pages must be free again. */
  finish(): void {
    while (this.pins.length > 0) this.unpin(0);
    for (const twin of [...this.twins]) this.release(twin);
    this.clear(0);
    this.check();
    expect(this.pool.free).toBe(this.pool.total);
  }
}
