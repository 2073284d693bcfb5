// What graphs cost: time and bytes of capturing the decode step for every batch bucket, in memory that they share.

import type { CapturedGraph } from '@limen/graph-runtime';
import { capture, decodeBucketSizes } from '@limen/graph-runtime';
import { janusTinyFolder } from '@limen/janus-tiny';
import type { CacheSequence, PagedCache } from '@limen/kv-cache';
import { cacheFor, DecodeState, loadJanus, type Quantization, textStep } from '@limen/models-janus';
import { type DType, openRecordingPool, Scope, synchronize } from '@limen/tensor';

import { type Sample, summarize } from './lib/measure.js';
import { type BenchmarkModel, randomJanus } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** What to capture. */
export interface CaptureOptions {
  readonly device: string;
  readonly model: BenchmarkModel;
  readonly dtype: DType;
  readonly quantization: Quantization;
  /** `small`: the tiny model, to see on a CPU that all of it runs. */
  readonly size: 'full' | 'small';
  readonly batches: readonly number[];
  readonly runs: number;
}

/** Batch sizes measured by default. */
export const captureBatches: readonly number[] = decodeBucketSizes;

/** Tokens in the cache of each sequence; the step is the same at every length. */
const promptTokens = 8;

/** Measures capturing all batches, the largest first, `runs` times over. */
export async function benchCapture(options: CaptureOptions): Promise<Measurement[]> {
  const { device, model, dtype, quantization, size, runs } = options;
  const batches = options.batches.toSorted((a, b) => b - a);
  using network =
    size === 'full'
      ? randomJanus(model, device, dtype, quantization)
      : loadJanus(janusTinyFolder(), { device, dtype, quantization }).network;
  const rows = new Array<number>(batches[0] ?? 1).fill(promptTokens);
  const stepsEach = runs + 1; // the warm-up, and a replay in each run
  using cache = cacheFor(network, rows, stepsEach);
  const sequences = rows.map(() => cache.allocateSequence(promptTokens + stepsEach));
  using states = new Scope();
  const steps = batches.map((batch) => {
    const state = states.own(stateFor(cache, sequences.slice(0, batch), stepsEach));
    return { name: `decode ${batch}`, step: () => textStep(network, cache, state) };
  });

  // What happens once in a process (libraries that load, kernels that are picked) is the warm-up's.
  const cold = performance.now();
  for (const { step } of steps) step();
  await synchronize(device);
  const warmUp = performance.now() - cold;

  const times: number[] = [];
  const bytes: number[] = [];
  let nodes = 0;
  for (let run = 0; run < runs; run++) {
    using graphs = new Scope();
    const pool = openRecordingPool(device);
    const start = performance.now();
    const captured: CapturedGraph<void>[] = [];
    for (const { name, step } of steps) captured.push(graphs.own(capture(device, step, { name, warmUps: 0, pool })));
    times.push(performance.now() - start);
    bytes.push((pool.bytes + captured.reduce((sum, graph) => sum + graph.driverBytes, 0)) / 1e6);
    nodes = captured.reduce((sum, { nodeCount }) => sum + nodeCount, 0);
    for (const graph of captured) graph.replay();
    await synchronize(device);
  }

  const format = quantization === 'none' ? dtype : quantization;
  const prefix = `capture/${size === 'full' ? model : 'janus-tiny'}/${format}`;
  const note = `${batches.length} graphs, ${nodes} nodes`;
  const once: Sample = { median: warmUp, spread: 0, runs: 1 };
  return [
    { id: `${prefix}/time`, unit: 'ms', ...summarize(times), floor: null, rivals: [], note },
    { id: `${prefix}/bytes`, unit: 'MB', ...summarize(bytes), floor: null, rivals: [], note },
    {
      id: `${prefix}/warm-up`,
      unit: 'ms',
      ...once,
      floor: null,
      rivals: [],
      note: 'one eager step of each batch, before',
    },
  ];
}

function stateFor(cache: PagedCache, sequences: readonly CacheSequence[], steps: number): DecodeState {
  const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  const lengths = sequences.map(() => promptTokens);
  return new DecodeState(
    lengths,
    cache.pageTable(sequences),
    lengths.map(() => greedy),
    steps,
  );
}
