// Decode speed: tokens per second over a batch, eager against captured, at a fixed context; and what the host takes of it.

import { stepRunner } from '@limen/graph-runtime';
import { runEagerly, type StepRunnerFactory } from '@limen/models-janus';

import { type BenchmarkContext, type DecodeCase, kvSuffix } from './lib/context.js';
import { prepareStep } from './lib/decode-cache.js';
import { runGenerationLoop, summarizeLoop } from './lib/generation-loop.js';
import { scale, timeLaunches } from './lib/measure.js';
import { progress } from './lib/progress.js';
import { cacheTokenBytes, ceilings, decodeWeightBytes } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** What is measured when nothing is asked for. */
export const decodeCases: readonly DecodeCase[] = [
  ...[1, 4, 8, 32].map((batch) => ({ batch, context: 512 })),
  { batch: 8, context: 2048 },
];

/** Steps in one timed run, and runs before the first that counts. */
export const stepsEach = 16;
export const warmUps = 2;

/** Measures every case. */
export async function benchDecode(options: BenchmarkContext, cases: readonly DecodeCase[]): Promise<Measurement[]> {
  const { model, quantization, format, kv } = options;
  const measurements: Measurement[] = [];
  for (const { batch, context } of cases) {
    const bytes = decodeWeightBytes(model, quantization) + batch * context * cacheTokenBytes(model, kv);
    const floor = (batch * ceilings.readBytesPerSecond) / bytes;
    for (const [suffix, factory] of [
      ['', stepRunner],
      ['/eager', runEagerly],
    ] as const) {
      progress(`decode ${format}: batch ${batch}, context ${context}${suffix === '' ? '' : ', eager'}`);
      const sample = await decodeOnce(options, { batch, context }, factory);
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
  return measurements;
}

/** Tokens before the first step, so that the steps that count see `context` on average: each of them adds one. */
export function firstContext(context: number, runs: number): number {
  return Math.max(1, context - Math.round(stepsEach * (warmUps + runs / 2)));
}

async function decodeOnce(
  { network, kv, runs }: BenchmarkContext,
  { batch, context }: DecodeCase,
  factory: StepRunnerFactory,
) {
  const first = firstContext(context, runs);
  using step = prepareStep(network, kv, { batch, context: first, steps: stepsEach * (runs + warmUps + 2) });
  using runner = factory(network.device, () => step.run());
  // Awaited here: step and runner live until the last run.
  return await timeLaunches(network.device, () => runner.run(), { runs, calls: stepsEach, warmUps });
}

/**
 * What the host takes of a captured step, in the loop that users run: tokens per second with the tokens read on the way,
 * the share of time in which the device had nothing to do, and the microseconds the event loop was busy for each step.
 */
export async function benchHost(
  options: BenchmarkContext,
  { batch, context }: DecodeCase,
  steps: number,
): Promise<Measurement[]> {
  const { model, format, runs } = options;
  progress(`decode ${format}: host time in the generation loop, batch ${batch}, context ${context}`);
  const request = { batch, context, steps };
  await runGenerationLoop(options, request);
  const loops = [];
  for (let run = 0; run < runs; run++) {
    const plain = await runGenerationLoop(options, request);
    const marked = await runGenerationLoop(options, request, { marks: true });
    loops.push({ plain, marked });
  }
  const { tokens, idle, busy, launch } = summarizeLoop(loops, batch);
  const note = `${loops[0]?.plain.steps ?? 0} steps`;
  const case_ = `${model}/${format}/b${batch}/c${context}${kvSuffix(options)}`;
  const rest = { floor: null, rivals: [], note };
  return [
    { id: `decode-loop/${case_}`, unit: 'tok/s', ...tokens, ...rest },
    ...(idle === undefined ? [] : [{ id: `decode-idle/${case_}`, unit: '%', ...idle, ...rest }]),
    { id: `decode-host/${case_}`, unit: 'us', ...busy, ...rest },
    { id: `decode-host/${case_}/launch`, unit: 'us', ...launch, ...rest },
  ];
}
