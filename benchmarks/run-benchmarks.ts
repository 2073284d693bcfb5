// Runs what a request names, one benchmark after the other, and keeps what has been measured so far.

import { trimMemory } from '@limen/tensor';

import { benchArticles } from './articles.js';
import { benchCapture, captureBatches } from './capture.js';
import { benchDecode, benchHost, decodeCases } from './decode.js';
import { benchDraw } from './draw.js';
import { benchImageDecoder } from './image-decoder.js';
import { benchCeilings, benchKv } from './kv.js';
import { addRivals } from './lib/add-rivals.js';
import type { BenchmarkName, BenchmarkRequest } from './lib/command-line.js';
import type { BenchmarkContext, DecodeCase } from './lib/context.js';
import { progress } from './lib/progress.js';
import { randomJanus } from './lib/random-janus.js';
import { type Measurement, results, writeResults } from './lib/report.js';
import { benchOps } from './ops.js';
import { benchPrefill, prefillSizes } from './prefill.js';
import { benchStart } from './start.js';

/** Benchmarks that share one network. */
const onNetwork: readonly BenchmarkName[] = ['decode', 'prefill', 'draw', 'image-decoder', 'articles'];

/** Runs all of them, in an order of our own; results are written as they come, for a run that is cut short. */
export async function runBenchmarks(
  request: BenchmarkRequest,
): Promise<{ measurements: Measurement[]; failures: number }> {
  const { names, device, size, runs, model, dtype, quantization } = request;
  const machine = { device, size, runs } as const;
  const measurements: Measurement[] = [];
  const save = (soFar: readonly Measurement[]) => {
    const complete = request.rivals.reduce(addRivals, soFar);
    if (request.json !== undefined) writeResults(request.json, results(device, complete));
    return [...complete];
  };
  const add = (more: readonly Measurement[]) => {
    measurements.push(...more);
    save(measurements);
  };
  let failures = 0;
  if (names.includes('ops')) add(await benchOps({ ...machine, filter: request.filter }));
  if (names.includes('ceilings')) add(await benchCeilings(machine));
  if (names.includes('kv')) {
    const small = size === 'small';
    const { only, formats, layouts } = request;
    const options = {
      ...machine,
      only,
      formats,
      layouts,
      batches: request.batches ?? (small ? [2] : [8, 64]),
      contexts: request.contexts ?? [small ? 48 : 2048],
      requests: request.requests ?? (small ? 200 : 100_000),
    };
    const outcome = await benchKv(options, (more) => save([...measurements, ...more]));
    failures = outcome.failures;
    add(outcome.measurements);
  }
  if (names.includes('capture')) {
    const batches = request.batches ?? captureBatches;
    add(await benchCapture({ ...machine, model, dtype, quantization, batches }));
  }
  if (names.includes('start')) add(await benchStart(request));
  if (names.some((name) => onNetwork.includes(name))) await runOnNetwork(request, add);
  return { measurements: save(measurements), failures };
}

async function runOnNetwork(request: BenchmarkRequest, add: (more: readonly Measurement[]) => void): Promise<void> {
  const { names, size } = request;
  const counts = request.counts ?? (size === 'small' ? [1, 2] : [1, 8]);
  {
    using opened = openNetwork(request);
    const { context } = opened;
    if (names.includes('decode')) {
      add(await benchDecode(context, decodeCasesOf(request)));
      add(await benchHost(context, hostCase(request), stepsOf(request)));
    }
    if (names.includes('prefill')) add(await benchPrefill(context, prefillSizes[size]));
    if (names.includes('draw')) add(await benchDraw(context, counts));
    else if (names.includes('image-decoder')) add(await benchImageDecoder(context, counts));
    if (names.includes('articles')) add(await benchArticles(context, request));
  }
  // Beside everything in 16 bits, a single sequence over 8-bit weights.
  const asked = request.batches !== undefined || request.contexts !== undefined || request.quantization !== 'none';
  if (!names.includes('decode') || asked) return;
  trimMemory(request.device);
  using opened = openNetwork({ ...request, quantization: 'int8' });
  add(await benchDecode(opened.context, [hostCase(request)]));
}

/** Makes a network with random weights; disposing frees it. */
function openNetwork(request: BenchmarkRequest): { readonly context: BenchmarkContext } & Disposable {
  const { model, device, dtype, quantization, kv, runs } = request;
  const format = quantization === 'none' ? dtype : quantization;
  progress(`${model} with random weights in ${format}`);
  const network = randomJanus(model, device, dtype, quantization);
  return {
    context: { network, model, device, dtype, quantization, format, kv, runs },
    [Symbol.dispose]: () => network[Symbol.dispose](),
  };
}

function decodeCasesOf({ batches, contexts, size }: BenchmarkRequest): readonly DecodeCase[] {
  if (batches === undefined && contexts === undefined)
    return size === 'full' ? decodeCases : [1, 2].map((batch) => ({ batch, context: 20 }));
  return (contexts ?? [512]).flatMap((context) => (batches ?? [1, 4, 8]).map((batch) => ({ batch, context })));
}

function hostCase({ contexts, size }: BenchmarkRequest): DecodeCase {
  return { batch: 1, context: contexts?.[0] ?? (size === 'full' ? 512 : 20) };
}

function stepsOf({ steps, size }: BenchmarkRequest): number {
  return steps ?? (size === 'full' ? 128 : 8);
}
