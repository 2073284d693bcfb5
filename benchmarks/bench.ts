// `npm run bench -- <name> [options]`: measures on this machine and writes a results file.

import { parseArgs } from 'node:util';

import { type CacheDType, cacheFormats } from '@limen/kv-cache';
import type { Quantization } from '@limen/models-janus';
import { type DType, LimenError } from '@limen/tensor';

import { benchCapture, captureBatches } from './capture.js';
import { benchDecode } from './decode.js';
import { benchDraw } from './draw.js';
import { benchImageDecoder } from './image-decoder.js';
import { benchCeilings, benchKv, kvParts } from './kv.js';
import { addRivals } from './lib/add-rivals.js';
import type { BenchmarkContext } from './lib/context.js';
import { type BenchmarkModel, randomJanus } from './lib/random-janus.js';
import { type Measurement, printMeasurement, results, writeResults } from './lib/report.js';
import { benchOps } from './ops.js';
import { benchPrefill } from './prefill.js';

const usage = `npm run bench -- <name>[,<name>…] [options]

Names: ops | decode | prefill | draw | image-decoder | capture | kv | ceilings
  --model NAME        janus-pro-7b (default) or janus-pro-1b; real shapes, random weights made on the device
  --device NAME       default cuda
  --dtype NAME        bf16 (default), f16 or f32
  --quantization NAME none (default) or int8
  --kv NAME           decode, draw: storage of keys and values; default: as --dtype
  --batch LIST        decode: sequences, default 1,4,8; capture: 1,2,4,8,16,32,64; kv: 8,64
  --context LIST      decode: tokens in the cache, default 512; kv: 2048
  --count LIST        draw: pictures at once, default 1
  --only LIST         kv: ${kvParts.join(', ')}; default all
  --formats LIST      kv: default bf16,fp8,int8,int4
  --layouts LIST      kv: NHD (default), HND
  --requests N        kv: default 100000
  --size NAME         capture, kv, ceilings: full (default on a GPU) or small (default on a CPU)
  --runs N            default 7
  --filter TEXT       ops: only names that contain it
  --rivals LIST       JSON files of benchmarks/rivals/*.py from the same run
  --json FILE         where to write the results`;

const words = (text: string | undefined) => (text ?? '').split(',').filter((word) => word !== '');
const list = (text: string) => text.split(',').map(Number);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      model: { type: 'string', default: 'janus-pro-7b' },
      random: { type: 'boolean', default: true },
      device: { type: 'string', default: 'cuda' },
      dtype: { type: 'string', default: 'bf16' },
      quantization: { type: 'string', default: 'none' },
      kv: { type: 'string' },
      batch: { type: 'string' },
      context: { type: 'string' },
      count: { type: 'string', default: '1' },
      runs: { type: 'string', default: '7' },
      filter: { type: 'string', default: '' },
      only: { type: 'string' },
      formats: { type: 'string' },
      layouts: { type: 'string', default: 'NHD' },
      requests: { type: 'string' },
      size: { type: 'string' },
      rivals: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const names = words(positionals[0]);
  const only = words(values.only);
  const model = values.model as BenchmarkModel;
  const dtype = values.dtype as DType;
  const known = ['ops', 'decode', 'prefill', 'draw', 'image-decoder', 'capture', 'kv', 'ceilings'];
  const unknown = names.filter((name) => !known.includes(name)).concat(only.filter((part) => !kvParts.includes(part)));
  const kv = values.kv ?? dtype;
  if (values.help || names.length === 0 || unknown.length > 0 || !Object.hasOwn(cacheFormats, kv)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const runs = Number(values.runs);
  const quantization = values.quantization as Quantization;
  const measurements: Measurement[] = [];
  const add = (more: readonly Measurement[]) => measurements.push(...more);
  /** Adds the rivals and writes what there is so far, so that a run that is cut short leaves something. */
  const save = (soFar: readonly Measurement[]) => {
    const complete = words(values.rivals).reduce(addRivals, soFar);
    if (values.json !== undefined) writeResults(values.json, results(values.device, complete));
    return complete;
  };
  if (names.includes('ops')) add(await benchOps(values.device, values.filter, runs));
  let failures = 0;
  const size = (values.size ?? (values.device === 'cpu' ? 'small' : 'full')) === 'small' ? 'small' : 'full';
  const machine = { device: values.device, size, runs } as const;
  if (names.includes('ceilings')) add(await benchCeilings(machine));
  if (names.includes('kv')) {
    const small = size === 'small';
    const options = {
      ...machine,
      only,
      formats: words(values.formats ?? 'bf16,fp8,int8,int4'),
      layouts: words(values.layouts),
      batches: list(values.batch ?? (small ? '2' : '8,64')),
      contexts: list(values.context ?? (small ? '48' : '2048')),
      requests: Number(values.requests ?? (small ? 200 : 100_000)),
    };
    const outcome = await benchKv(options, (more) => save([...measurements, ...more]));
    failures = outcome.failures;
    add(outcome.measurements);
  }
  if (names.includes('capture')) {
    const batches = values.batch === undefined ? captureBatches : list(values.batch);
    add(await benchCapture({ ...machine, model, dtype, quantization, batches }));
  }
  if (names.some((name) => !['ops', 'capture', 'kv', 'ceilings'].includes(name))) {
    using network = randomJanus(model, values.device, dtype, quantization);
    const context: BenchmarkContext = {
      network,
      model,
      device: values.device,
      dtype,
      quantization,
      format: quantization === 'none' ? dtype : quantization,
      kv: kv as CacheDType,
      batches: list(values.batch ?? '1,4,8'),
      contexts: list(values.context ?? '512'),
      counts: list(values.count),
      runs,
    };
    if (names.includes('decode')) add(await benchDecode(context));
    if (names.includes('prefill')) add(await benchPrefill(context));
    if (names.includes('draw')) add(await benchDraw(context));
    if (names.includes('image-decoder') && !names.includes('draw')) add(await benchImageDecoder(context));
  }
  const complete = save(measurements);
  // The cache and the ops have printed as they went; their lines come again where a rival has joined them.
  const joined = words(values.rivals).length > 0;
  const printed = /^(op|allocator|ceiling|kv-[\w-]+)\//;
  for (const measurement of complete)
    if ((joined && measurement.rivals.length > 0) || !printed.test(measurement.id)) printMeasurement(measurement);
  if (values.json !== undefined) console.log(`written: ${values.json}`);
  return failures > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(LimenError.isInstance(error) ? `bench: ${error.message} [${error.code}]` : error);
  process.exitCode = 1;
}
