// The tables of the articles this project grew from, measured on its own stack: latency of a token by batch and length,
// launched op by op against replayed, with its deviation; and the memory of caches with pages and without.

import { PagePool, SequencePages } from '@limen/kv-cache';
import { stepRunner } from '@limen/graph-runtime';
import { runEagerly } from '@limen/models-janus';
import { synchronize } from '@limen/tensor';
import { SeededRandom } from '@limen/tensor/testing';

import type { BenchmarkRequest } from './lib/command-line.js';
import { type BenchmarkContext, kvSuffix } from './lib/context.js';
import { prepareStep } from './lib/decode-cache.js';
import { moments, summarize } from './lib/measure.js';
import { progress } from './lib/progress.js';
import { benchmarkConfigs, cacheTokenBytes } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

const articleBatches = [1, 2, 4, 8];
const articleLengths = [64, 128, 256, 512];
const pageSize = 16;

/** Sequences of many lengths that are in memory at once. */
export interface MemoryMix {
  readonly sequences: number;
  /** The longest that a sequence may become. */
  readonly longest: number;
  readonly shortest: number;
}

/** The mix that is measured. */
export const memoryMix: MemoryMix = { sequences: 64, shortest: 32, longest: 2048 };

/** Latency of every batch and length, and the memory of a mix of lengths. */
export async function benchArticles(
  context: BenchmarkContext,
  { size, batches, contexts }: Pick<BenchmarkRequest, 'size' | 'batches' | 'contexts'>,
): Promise<Measurement[]> {
  const small = size === 'small';
  const measurements: Measurement[] = [];
  for (const length of contexts ?? (small ? [16, 32] : articleLengths)) {
    for (const batch of batches ?? (small ? [1, 2] : articleBatches)) {
      progress(`articles ${context.format}: batch ${batch}, ${length} tokens`);
      measurements.push(...(await latencies(context, batch, length, small ? 4 : 50)));
    }
  }
  return [...measurements, ...memoryMeasurements(context)];
}

/** A caller waits for every token, as the articles' programs did, so that a step's deviation can be seen. */
async function latencies(
  context: BenchmarkContext,
  batch: number,
  length: number,
  steps: number,
): Promise<Measurement[]> {
  const { network, model, format, kv } = context;
  const { device } = network;
  const warmUps = 4;
  const measurements: Measurement[] = [];
  for (const [way, factory] of [
    ['eager', runEagerly],
    ['captured', stepRunner],
  ] as const) {
    using step = prepareStep(network, kv, { batch, context: length, steps: warmUps + steps });
    using runner = factory(device, () => step.run());
    for (let index = 0; index < warmUps; index++) runner.run();
    await synchronize(device);
    const times: number[] = [];
    for (let index = 0; index < steps; index++) {
      const start = performance.now();
      runner.run();
      await synchronize(device);
      times.push(performance.now() - start);
    }
    const rates = times.map((milliseconds) => (1000 * batch) / milliseconds);
    const id = `${model}/${format}/b${batch}/c${length}${kvSuffix(context)}/${way}`;
    const rest = { floor: null, rivals: [] };
    measurements.push(
      { id: `articles-latency/${id}`, unit: 'ms', ...summarize(times), ...moments(times), ...rest },
      { id: `articles-rate/${id}`, unit: 'tok/s', ...summarize(rates), ...moments(rates), ...rest },
    );
  }
  return measurements;
}

/** Lengths spread evenly over their logarithm: many short answers, few long ones. */
export function mixedLengths({ sequences, shortest, longest }: MemoryMix): number[] {
  const random = new SeededRandom(7);
  return Array.from({ length: sequences }, () => Math.round(shortest * (longest / shortest) ** random.uniform()));
}

/** Slots that a mix of lengths takes: one block of the longest length for each sequence, or pages as they are needed. */
export function slotsOfMix(mix: MemoryMix): { tokens: number; pages: number; contiguous: number } {
  const lengths = mixedLengths(mix);
  const pool = new PagePool({ pages: mix.sequences * Math.ceil(mix.longest / pageSize), pageSize });
  for (const length of lengths) SequencePages.allocate(pool, length);
  return {
    tokens: lengths.reduce((sum, length) => sum + length, 0),
    pages: pool.statistics().used * pageSize,
    contiguous: mix.sequences * mix.longest,
  };
}

function memoryMeasurements({ model, format, kv, dtype }: BenchmarkContext): Measurement[] {
  const longest = Math.min(memoryMix.longest, benchmarkConfigs[model].text.maxPositions);
  const mix = { ...memoryMix, longest };
  const bytes = cacheTokenBytes(model, kv);
  const note = `${mix.sequences} sequences of ${mix.shortest} to ${mix.longest} tokens, pages of ${pageSize}`;
  return Object.entries(slotsOfMix(mix)).map(([way, slots]) => ({
    id: `articles-memory/${model}/${format}${kvSuffix({ kv, dtype })}/${way}`,
    unit: 'MB',
    ...summarize([(slots * bytes) / 1e6]),
    floor: null,
    rivals: [],
    note,
  }));
}
