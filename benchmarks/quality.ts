// `npm run quality`: what a trained model gets right on pictures, questions and requests it has never seen.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { stepRunner } from '@limen/graph-runtime';
import { makeCase, qualityReport, qualityTable, seedRanges } from '@limen/janus-tiny';
import { type CacheOptions, loadModel, type Quantization } from '@limen/models-janus';
import { type DType, isDType, LimenError } from '@limen/tensor';

import { agreementOf } from './lib/quality/agreement.js';
import { askEverything } from './lib/quality/ask.js';
import { drawEverything } from './lib/quality/draw.js';

const usage = `npm run quality -- [options]

  --seed N             which cases; any integer from 0; default 0
  --count N            how many cases; default 200
  --model FOLDER       default: janus-tiny
  --device NAME        cpu (default) or cuda
  --dtype NAME         f32 | bf16 | f16; default: f32 on a CPU, bf16 on a GPU
  --quantization NAME  none (default) or int8
  --kv NAME            storage of keys and values: auto (default), as the weights; f32 | bf16 | f16 | fp8 | int8 | int4
  --eager              run every step as it is instead of capturing it
  --batch N            conversations and pictures at once; default 32
  --guidance N         of drawings; default: the model's own
  --temperature N      of drawings; default 1
  --json               end with one line of JSON`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '0' },
      count: { type: 'string', default: '200' },
      model: { type: 'string', default: new URL('../packages/janus-tiny/model', import.meta.url).pathname },
      device: { type: 'string', default: 'cpu' },
      dtype: { type: 'string' },
      quantization: { type: 'string', default: 'none' },
      kv: { type: 'string', default: 'auto' },
      eager: { type: 'boolean', default: false },
      batch: { type: 'string', default: '32' },
      guidance: { type: 'string' },
      temperature: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { device } = values;
  const dtype: DType = isDType(values.dtype) ? values.dtype : device === 'cpu' ? 'f32' : 'bf16';
  const [seed, count, batch] = [Number(values.seed), Number(values.count), Number(values.batch)];
  const sane =
    [seed, count, batch].every((value) => Number.isSafeInteger(value) && value >= 0) && count > 0 && batch > 0;
  if (values.help || !sane) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const quantization = values.quantization as Quantization;
  const cache = { dtype: values.kv as NonNullable<CacheOptions['dtype']> };
  const loading = { device, dtype, quantization, cache, ...(values.eager ? {} : { stepRunner }) };
  using model = await loadModel(values.model, loading);
  // Blocks of cases of different seeds do not overlap until the test range is used up.
  const first = (seed * 10_000) % (seedRanges.test.count - count);
  const cases = Array.from({ length: count }, (_, index) => makeCase('test', first + index));
  const options = {
    batch,
    guidance: values.guidance === undefined ? undefined : Number(values.guidance),
    temperature: values.temperature === undefined ? undefined : Number(values.temperature),
  };
  const { answers, descriptions } = await askEverything(model, cases, options);
  const drawings = await drawEverything(model, cases, options);
  const agreement = await agreementOf(model, values.model, cases.slice(0, 24));
  const run = {
    seed,
    count,
    device: device === 'cpu' ? `cpu (${cpus()[0]?.model.trim() ?? 'unknown'})` : device,
    weights: quantization === 'none' ? dtype : quantization,
    kv: model.cache.dtype,
    captured: !values.eager,
  };
  const report = qualityReport(run, answers, descriptions, drawings, agreement);
  console.log(qualityTable(report));
  if (values.json) console.log(JSON.stringify(report));
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(LimenError.isInstance(error) ? `quality: ${error.message} [${error.code}]` : error);
  process.exitCode = 1;
}
