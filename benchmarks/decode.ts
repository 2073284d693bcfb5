// Decode speed: tokens per second over a batch, eager against captured, at a fixed context.

import { stepRunner } from '@limen/graph-runtime';
import type { CacheDType, CacheSequence, PagedCache } from '@limen/kv-cache';
import {
  cacheFor,
  DecodeState,
  type JanusPro,
  runEagerly,
  type StepRunnerFactory,
  textStep,
} from '@limen/models-janus';
import { empty, fillNormal, fromArray, write } from '@limen/tensor';

import { type BenchmarkContext, kvSuffix } from './lib/context.js';
import { timeLaunches, scale } from './lib/measure.js';
import { cacheTokenBytes, ceilings, decodeWeightBytes } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** Measures every batch size and context asked for. */
export async function benchDecode(options: BenchmarkContext): Promise<Measurement[]> {
  const { network, model, quantization, format, kv, batches, contexts, runs } = options;
  const measurements: Measurement[] = [];
  for (const context of contexts) {
    for (const batch of batches) {
      const bytes = decodeWeightBytes(model, quantization) + batch * context * cacheTokenBytes(model, kv);
      const floor = (batch * ceilings.readBytesPerSecond) / bytes;
      for (const [suffix, factory] of [
        ['', stepRunner],
        ['/eager', runEagerly],
      ] as const) {
        const sample = await decodeOnce(network, kv, batch, context, factory, runs);
        const tokens = scale(sample, (milliseconds) => (1000 * batch) / milliseconds);
        measurements.push({
          id: `decode/${model}/${format}/b${batch}/c${context}${kvSuffix(options)}${suffix}`,
          unit: 'tok/s',
          ...tokens,
          floor,
          rivals: [],
        });
      }
    }
  }
  return measurements;
}

async function decodeOnce(
  network: JanusPro,
  kv: CacheDType,
  batch: number,
  context: number,
  factory: StepRunnerFactory,
  runs: number,
) {
  const { device } = network;
  const steps = 16;
  const total = context + steps * (runs + 4);
  const lengths = new Array<number>(batch).fill(context);
  using cache = cacheFor(network, lengths, total - context, { dtype: kv });
  const sequences = lengths.map(() => cache.allocateSequence(total));
  fillCache(network, cache, sequences, context);
  const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  using state = new DecodeState(
    lengths,
    cache.pageTable(sequences),
    Array.from({ length: batch }, () => greedy),
    total,
  );
  using runner = factory(device, () => textStep(network, cache, state));
  const sample = await timeLaunches(device, () => runner.run(), { runs, calls: steps, warmUps: 2 });
  write(state.positions, lengths);
  return sample;
}

/** Random keys and values for the first `tokens` tokens of each sequence. */
function fillCache(network: JanusPro, cache: PagedCache, sequences: readonly CacheSequence[], tokens: number): void {
  const { device } = network;
  const { layers, keyValueHeads, headSize } = cache.shape;
  const shape = [sequences.length, tokens, keyValueHeads, headSize];
  const dtype = cache.dtype === 'f32' || cache.dtype === 'f16' || cache.dtype === 'bf16' ? cache.dtype : network.dtype;
  using pageTable = cache.pageTable(sequences);
  using positions = fromArray(
    sequences.flatMap(() => Array.from({ length: tokens }, (_, position) => position)),
    shape.slice(0, 2),
    { dtype: 'i32', device },
  );
  using k = empty(shape, { dtype, device });
  using v = empty(shape, { dtype, device });
  for (let layer = 0; layer < layers; layer++) {
    fillNormal({ x: k }, { seed: 2 * layer });
    fillNormal({ x: v }, { seed: 2 * layer + 1 });
    cache.append(layer, { k, v, pageTable, positions });
  }
}
