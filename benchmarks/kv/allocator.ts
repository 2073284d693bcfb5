// Microseconds for one page operation of the accounting. Pure TypeScript: no tensor, no device.

import { PagePool, PrefixChain, PrefixIndex, SequencePages } from '@limen/kv-cache';

import { summarize } from '../lib/measure.js';
import type { KvContext } from './context.js';
import { seededRandom } from './random.js';

const pageSize = 16;

/** A mix of operations; `run` returns how many pages were taken, shared or given back. */
interface Mix {
  readonly id: string;
  readonly run: (pool: PagePool, rounds: number) => number;
}

const mixes: readonly Mix[] = [
  // A prompt of 128 pages takes them at once and gives them back.
  {
    id: 'allocate-release',
    run: (pool, rounds) => {
      for (let round = 0; round < rounds; round++) SequencePages.allocate(pool, 128 * pageSize).release();
      return rounds * 256;
    },
  },
  // 64 sequences grow side by side, token by token, to 8 pages each.
  {
    id: 'append',
    run: (pool, rounds) => {
      for (let round = 0; round < rounds; round++) {
        const sequences = Array.from({ length: 64 }, () => SequencePages.allocate(pool, 0));
        for (let token = 0; token < 8 * pageSize; token++) for (const sequence of sequences) sequence.append(1);
        for (const sequence of sequences) sequence.release();
      }
      return rounds * 64 * 16;
    },
  },
  // A prompt of 128 pages is forked; each fork shares them, copies the last one when it writes, and ends.
  {
    id: 'fork',
    run: (pool, rounds) => {
      const prompt = SequencePages.allocate(pool, 128 * pageSize - 1);
      for (let round = 0; round < rounds; round++) {
        const fork = prompt.fork();
        fork.append(1);
        fork.release();
      }
      prompt.release();
      return rounds * 258;
    },
  },
  { id: 'mixed', run: runMixed },
  // A prompt of 128 pages is named: one SHA-256 a page.
  {
    id: 'prefix-hash',
    run: (_, rounds) => {
      for (let round = 0; round < rounds; round++) namePrompt(round);
      return rounds * 128;
    },
  },
  // A prompt that has its names opens with 127 of its 128 pages found, and ends.
  {
    id: 'prefix-open',
    run: (pool, rounds) => {
      const index = indexOf(pool);
      const prefix = namePrompt(0);
      const first = SequencePages.allocate(pool, prefix.length);
      index.publish(first, prefix);
      first.release();
      for (let round = 0; round < rounds; round++) index.open(prefix).release();
      index.clear();
      return rounds * 254;
    },
  },
  // Prompts that nobody has asked for before are published and end; each takes its pages from the oldest ones.
  {
    id: 'prefix-evict',
    run: (pool, rounds) => {
      const index = indexOf(pool);
      for (let round = 0; round < rounds; round++) {
        const prefix = (manyPrompts[round % 256] ??= namePrompt(1 + (round % 256)));
        const sequence = index.open(prefix);
        sequence.append(prefix.length - sequence.length);
        index.publish(sequence, prefix);
        sequence.release();
      }
      return rounds * 256;
    },
  },
];

/** More prompts than fit in the pool, so that in turn each has been evicted when it comes again. */
const manyPrompts: PrefixChain[] = [];
const indexes = new WeakMap<PagePool, PrefixIndex>();

function indexOf(pool: PagePool): PrefixIndex {
  const index = indexes.get(pool) ?? new PrefixIndex(pool);
  indexes.set(pool, index);
  return index;
}

/** The names of a prompt of 128 pages. */
function namePrompt(topic: number): PrefixChain {
  const tokens = Int32Array.from({ length: 128 * pageSize }, (_, index) => topic * 2048 + index);
  return new PrefixChain({ model: 'benchmark', pageSize }, { tokens });
}

/** Measures every mix. */
export async function benchAllocator({ size, runs, add, attempt }: KvContext): Promise<void> {
  const rounds = size === 'full' ? 400 : 100;
  for (const { id, run } of mixes) {
    await attempt(`allocator/${id}`, () => {
      const pool = new PagePool({ pages: 16_384, pageSize });
      for (let warmUp = 0; warmUp < 3; warmUp++) run(pool, rounds);
      const microseconds = Array.from({ length: runs }, () => {
        const start = performance.now();
        const pages = run(pool, rounds);
        return ((performance.now() - start) * 1000) / pages;
      });
      add({ id: `allocator/${id}`, unit: 'us', ...summarize(microseconds), floor: null, rivals: [] });
    });
  }
}

/** Arrivals, growth, forks, truncation and ends in random order over a pool that is nearly full. */
function runMixed(pool: PagePool, rounds: number): number {
  const random = seededRandom(7);
  const live: SequencePages[] = [];
  let pages = 0;
  const end = () => {
    const [sequence] = live.splice(Math.floor(random() * live.length), 1);
    pages += sequence?.pages.length ?? 0;
    sequence?.release();
  };
  for (let round = 0; round < rounds * 64; round++) {
    while (pool.free < 128) end();
    const choice = random();
    const chosen = live[Math.floor(random() * live.length)];
    if (chosen === undefined || choice < 0.2) {
      const sequence = SequencePages.allocate(pool, 1 + Math.floor(random() * 64 * pageSize));
      live.push(sequence);
      pages += sequence.pages.length;
    } else if (choice < 0.6) {
      const change = chosen.append(1 + Math.floor(random() * 4 * pageSize));
      pages += change.added.length + change.copies.length;
    } else if (choice < 0.75) {
      const fork = chosen.fork();
      live.push(fork);
      pages += fork.pages.length;
    } else if (choice < 0.85) {
      const before = chosen.pages.length;
      chosen.truncate(Math.floor(random() * chosen.length));
      pages += before - chosen.pages.length;
    } else end();
  }
  while (live.length > 0) end();
  return pages;
}
