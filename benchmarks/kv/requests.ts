// A long run of requests through a small pool: how full its pages are, what it asks of the device, how fast it goes.
//
// Requests arrive all at once and wait until there is room; every tick each running sequence grows by one token. When the
// pool is full in the middle of a sequence, the newest one is put back into the queue, as a server would recompute it.

import { CacheFullError, cacheFormats, type CacheSequence, PagedCache } from '@limen/kv-cache';
import { type DType, empty, fillNormal, memoryStatistics, Scope, synchronize, write } from '@limen/tensor';

import type { KvContext } from './context.js';
import { logNormal, seededRandom } from './random.js';

/** Longest sequence a server would admit, and what an allocator without pages must reserve for each. */
export const mostTokens = 2048;

/** One request: tokens of its prompt, tokens of its answer. */
export interface Request {
  readonly prompt: number;
  readonly answer: number;
}

/**
 * Requests of mixed lengths, the same for the same seed: a quarter brings a picture of 576 tokens, prompts and answers have
 * a long tail (median 128 and 160 tokens), and nothing is longer than {@link mostTokens}.
 */
export function drawRequests(count: number, seed = 1): Request[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const picture = random() < 0.25 ? 576 : 0;
    const prompt = picture + Math.min(1024, Math.max(8, Math.round(logNormal(random, 128, 1))));
    const answer = Math.max(1, Math.round(logNormal(random, 160, 0.9)));
    return { prompt, answer: Math.min(answer, mostTokens - prompt) };
  });
}

/** What the run showed. */
export interface RequestFigures {
  readonly seconds: number;
  /** Mean share of the slots of used pages that hold no token. */
  readonly waste: number;
  /** The same if each running sequence had reserved {@link mostTokens}. */
  readonly contiguousWaste: number;
  readonly peakPages: number;
  readonly meanRunning: number;
  readonly preemptions: number;
  readonly tokens: number;
  /** Blocks that the device's memory pool took from the driver during the run; undefined on a CPU, which has no pool. */
  readonly driverAllocations: number | undefined;
}

/** A sequence that runs. */
interface Running {
  readonly sequence: CacheSequence;
  readonly end: number;
}

/** Ticks between two steps on the device, and between two measurements of waste. */
const ticksPerStep = 16;

/** Serves all requests from one cache. */
export async function serveRequests(
  cache: PagedCache,
  requests: readonly Request[],
  { rows, onProgress }: { readonly rows: number; readonly onProgress?: (done: number) => void },
): Promise<RequestFigures> {
  const { device, shape } = cache;
  using scope = new Scope();
  const step = decodeStep(cache, rows, scope);
  step([]);
  await synchronize(device);
  const before = memoryStatistics(device);
  const start = performance.now();
  const queue = requests.toReversed();
  const total = cache.statistics().pages.total;
  const usedPages = () => total - cache.freePages;
  const running: Running[] = [];
  let [tick, done, tokens, peakPages, preemptions] = [0, 0, 0, 0, 0];
  let [samples, waste, reserved, concurrency] = [0, 0, 0, 0];
  while (queue.length > 0 || running.length > 0) {
    for (let next = queue.at(-1); next !== undefined && running.length < rows; next = queue.at(-1)) {
      // One page for each running sequence stays free, so that admitting does not at once push somebody out.
      if (cache.freePages < Math.ceil((next.prompt + 1) / shape.pageSize) + running.length) break;
      queue.pop();
      const sequence = cache.allocateSequence(next.prompt);
      running.push({ sequence, end: next.prompt + next.answer });
    }
    for (let index = 0; index < running.length; index++) {
      const { sequence } = running[index] as Running;
      while (!grew(sequence)) {
        const newest = running.pop() as Running;
        const { length } = newest.sequence;
        newest.sequence.release();
        queue.push({ prompt: length, answer: newest.end - length });
        preemptions++;
        if (newest.sequence === sequence) break;
      }
    }
    tokens += running.length;
    peakPages = Math.max(peakPages, usedPages());
    for (let index = running.length - 1; index >= 0; index--) {
      const { sequence, end } = running[index] as Running;
      if (sequence.length < end) continue;
      sequence.release();
      running.splice(index, 1);
      if (++done % 10_000 === 0) onProgress?.(done);
    }
    if (tick++ % ticksPerStep === 0 && running.length > 0) {
      const filled = running.reduce((sum, { sequence }) => sum + sequence.length, 0);
      waste += 1 - filled / (usedPages() * shape.pageSize);
      reserved += 1 - filled / (running.length * mostTokens);
      concurrency += running.length;
      samples++;
      step(running.map(({ sequence }) => sequence));
      // Steps are launched ahead of the device, but not without end.
      if (samples % 64 === 0) await synchronize(device);
    }
  }
  await synchronize(device);
  const after = memoryStatistics(device);
  return {
    seconds: (performance.now() - start) / 1000,
    waste: waste / samples,
    contiguousWaste: reserved / samples,
    peakPages,
    meanRunning: concurrency / samples,
    preemptions,
    tokens,
    driverAllocations: after && before && after.driverAllocations - before.driverAllocations,
  };
}

/** Runs the simulation and hands in its figures. */
export async function benchRequests({ device, size, requests: count, add, attempt }: KvContext): Promise<void> {
  await attempt('kv-requests', async () => {
    const full = size === 'full';
    const dtype: DType = device === 'cpu' ? 'f32' : 'bf16';
    const pages = full ? 4096 : 512;
    const heads = full ? 32 : 1;
    const headSize = full ? 128 : 8;
    using cache = PagedCache.create({ layers: 1, keyValueHeads: heads, headSize, dtype, pages, device });
    const figures = await serveRequests(cache, drawRequests(count), {
      rows: full ? 256 : 64,
      onProgress: (done) => console.error(`  ${done.toLocaleString('en')} of ${count.toLocaleString('en')} requests`),
    });
    const id = (name: string) => `kv-requests-${name}/n${count}`;
    const single = { spread: 0, runs: 1, floor: null, rivals: [] } as const;
    const reserving = 'one block of the longest length each';
    const note = `${figures.tokens.toLocaleString('en')} tokens, ${figures.preemptions} put back`;
    add({
      id: id('waste'),
      unit: 'share wasted',
      median: figures.waste,
      ...single,
      rivals: [{ name: reserving, median: figures.contiguousWaste }],
    });
    add({ id: id('rate'), unit: 'requests/s', median: count / figures.seconds, ...single, note });
    add({ id: id('peak-pages'), unit: 'pages', median: figures.peakPages, ...single, note: `of ${pages}` });
    const fitting = Math.floor((pages * cache.shape.pageSize) / mostTokens);
    add({
      id: id('running'),
      unit: 'sequences',
      median: figures.meanRunning,
      ...single,
      rivals: [{ name: reserving, median: fitting }],
    });
    if (figures.driverAllocations !== undefined)
      add({
        id: id('allocations'),
        unit: 'allocations',
        median: figures.driverAllocations,
        ...single,
        note: 'blocks asked of the driver',
      });
  });
}

function grew(sequence: CacheSequence): boolean {
  try {
    sequence.append(1);
    return true;
  } catch (error) {
    if (error instanceof CacheFullError) return false;
    throw error;
  }
}

/** One layer of one decode step on tensors that stay: tables are overwritten, nothing is allocated. */
function decodeStep(cache: PagedCache, rows: number, scope: Scope): (sequences: readonly CacheSequence[]) => void {
  const { device, shape } = cache;
  const { keyValueHeads: heads, headSize, pageSize } = shape;
  const dtype = cacheFormats[shape.dtype].elementDType;
  const of = (...sizes: number[]) => scope.own(empty(sizes, { dtype, device }));
  const whole = (...sizes: number[]) => scope.own(empty(sizes, { dtype: 'i32', device }));
  const [k, v] = [of(rows, 1, heads, headSize), of(rows, 1, heads, headSize)];
  const [q, out] = [of(rows, heads, headSize), of(rows, heads, headSize)];
  for (const [seed, x] of [k, v, q].entries()) fillNormal({ x }, { seed });
  const [pageTable, lengths, positions] = [whole(rows, Math.ceil(mostTokens / pageSize)), whole(rows), whole(rows, 1)];
  const newest = new Int32Array(rows);
  return (sequences) => {
    cache.pageTable(sequences, { out: pageTable });
    cache.lengths(sequences, { out: lengths });
    newest.fill(-1);
    sequences.forEach(({ length }, row) => (newest[row] = length - 1));
    write(positions, newest);
    cache.append(0, { k, v, pageTable, positions });
    cache.attention(0, { q, pageTable, lengths }, { out });
  };
}
