// `npm run bench -- <name> [options]`: measures on this machine and writes a results file.

import { parseArgs } from 'node:util';

import type { Quantization } from '@limen/models-janus';
import { type DType, LimenError } from '@limen/tensor';

import { benchDecode } from './decode.js';
import { benchDraw } from './draw.js';
import { addRivals } from './lib/add-rivals.js';
import type { BenchmarkContext } from './lib/context.js';
import { type BenchmarkModel, randomJanus } from './lib/random-janus.js';
import { type Measurement, printMeasurement, results, writeResults } from './lib/report.js';
import { benchOps } from './ops.js';
import { benchPrefill } from './prefill.js';

const usage = `npm run bench -- <name>[,<name>…] [options]

Names: ops | decode | prefill | draw
  --model NAME        janus-pro-7b (default) or janus-pro-1b; real shapes, random weights made on the device
  --device NAME       default cuda
  --dtype NAME        bf16 (default), f16 or f32
  --quantization NAME none (default) or int8
  --batch LIST        decode: sequences, default 1,4,8
  --context LIST      decode: tokens in the cache, default 512
  --count LIST        draw: pictures at once, default 1
  --runs N            default 7
  --filter TEXT       ops: only names that contain it
  --rivals FILE       JSON of benchmarks/rivals/transformers_janus.py from the same run
  --json FILE         where to write the results`;

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
      batch: { type: 'string', default: '1,4,8' },
      context: { type: 'string', default: '512' },
      count: { type: 'string', default: '1' },
      runs: { type: 'string', default: '7' },
      filter: { type: 'string', default: '' },
      rivals: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const names = (positionals[0] ?? '').split(',').filter((name) => name !== '');
  const model = values.model as BenchmarkModel;
  const dtype = values.dtype as DType;
  const known = ['ops', 'decode', 'prefill', 'draw'];
  if (values.help || names.length === 0 || names.some((name) => !known.includes(name))) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const runs = Number(values.runs);
  const quantization = values.quantization as Quantization;
  const measurements: Measurement[] = [];
  const add = (more: readonly Measurement[]) => measurements.push(...more);
  if (names.includes('ops')) add(await benchOps(values.device, values.filter, runs));
  if (names.some((name) => name !== 'ops')) {
    using network = randomJanus(model, values.device, dtype, quantization);
    const context: BenchmarkContext = {
      network,
      model,
      device: values.device,
      dtype,
      quantization,
      format: quantization === 'none' ? dtype : quantization,
      batches: list(values.batch),
      contexts: list(values.context),
      counts: list(values.count),
      runs,
    };
    if (names.includes('decode')) add(await benchDecode(context));
    if (names.includes('prefill')) add(await benchPrefill(context));
    if (names.includes('draw')) add(await benchDraw(context));
  }
  const complete = values.rivals === undefined ? measurements : addRivals(measurements, values.rivals);
  for (const measurement of complete) if (!measurement.id.startsWith('op/')) printMeasurement(measurement);
  if (values.json !== undefined) writeResults(values.json, results(values.device, complete));
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(LimenError.isInstance(error) ? `bench: ${error.message} [${error.code}]` : error);
  process.exitCode = 1;
}
