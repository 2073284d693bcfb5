// The command line of the benchmarks as data: what can be asked for, with which options, and what is wrong with a request.

import { parseArgs } from 'node:util';

import { type CacheDType, cacheFormats } from '@limen/kv-cache';
import type { Quantization } from '@limen/models-janus';
import { type DType, InvalidArgumentError } from '@limen/tensor';

import { benchmarkConfigs, type BenchmarkModel } from './random-janus.js';

const optionTexts = {
  model: `NAME        ${Object.keys(benchmarkConfigs).join(', ')}; default janus-pro-7b, and tiny with --size small`,
  device: 'NAME       default cuda',
  dtype: 'NAME        bf16 (default), f16 or f32',
  quantization: 'NAME none (default) or int8',
  kv: 'NAME           storage of keys and values; default: as --dtype',
  batch: 'LIST        sequences',
  context: 'LIST      tokens in the cache',
  count: 'LIST        pictures at once, default 1,8',
  steps: 'N           tokens of the generation loop, default 128',
  checkpoint: 'PATH   a folder to load; default: one is written, with random weights and the real shapes',
  folder: 'PATH       where to write it; default: the folder for temporary files',
  only: 'LIST         parts to run; default all',
  formats: 'LIST      storage formats; default bf16,fp8,int8,int4',
  layouts: 'LIST      HND (default), NHD',
  requests: 'N        default 100000',
  size: 'NAME         full (default on a GPU) or small (default on a CPU)',
  runs: 'N            default 7',
  filter: 'TEXT       only ops whose name contains it',
  rivals: 'LIST       JSON files of benchmarks/rivals/*.py from the same run',
  json: 'FILE         where to write the results',
} as const;
type OptionName = keyof typeof optionTexts;

interface BenchmarkHelp {
  readonly summary: string;
  readonly options: readonly OptionName[];
}

const modelOptions: readonly OptionName[] = ['model', 'dtype', 'quantization'];
const commonOptions: readonly OptionName[] = ['device', 'size', 'runs', 'rivals', 'json'];

/** What can be measured. */
export const benchmarks = {
  ops: { summary: 'every op alone, against bytes or operations', options: ['filter'] },
  decode: {
    summary:
      'tokens per second, captured and op by op: batches 1, 4, 8, 32 at 512 tokens, batch 8 at 2,048, int8 at batch 1; ' +
      'and, at batch 1, host time and idle share of the device in the loop that users run',
    options: [...modelOptions, 'kv', 'batch', 'context', 'steps'],
  },
  prefill: {
    summary: 'from prompt to first token: 640 tokens with and without a picture, 8 × 1,024 tokens; the tower alone',
    options: modelOptions,
  },
  draw: { summary: 'from words to pixels, and the image decoder alone', options: [...modelOptions, 'kv', 'count'] },
  'image-decoder': { summary: 'from codes to pixels', options: [...modelOptions, 'count'] },
  capture: { summary: 'time and memory of capturing every batch bucket', options: [...modelOptions, 'batch'] },
  start: {
    summary: 'a checkpoint in the page cache to the first token, in a fresh process, phase by phase',
    options: ['model', 'checkpoint', 'folder'],
  },
  articles: {
    summary:
      'the tables of the founding articles: latency by batch and length, eager against captured; memory by pages',
    options: [...modelOptions, 'kv', 'batch', 'context'],
  },
  kv: {
    summary: 'the cache: attention, transforms, swap, allocator, a simulation of requests',
    options: ['only', 'formats', 'layouts', 'batch', 'context', 'requests'],
  },
  ceilings: { summary: 'memory, host link and tensor cores alone', options: [] },
} satisfies Record<string, BenchmarkHelp>;

/** Names of the benchmarks. */
export type BenchmarkName = keyof typeof benchmarks;

/** What was asked for, checked. */
export interface BenchmarkRequest {
  readonly names: readonly BenchmarkName[];
  readonly model: BenchmarkModel;
  readonly device: string;
  readonly dtype: DType;
  readonly quantization: Quantization;
  readonly kv: CacheDType;
  readonly size: 'full' | 'small';
  readonly runs: number;
  readonly batches?: readonly number[] | undefined;
  readonly contexts?: readonly number[] | undefined;
  readonly counts?: readonly number[] | undefined;
  readonly steps?: number | undefined;
  readonly requests?: number | undefined;
  readonly checkpoint?: string | undefined;
  readonly folder?: string | undefined;
  readonly only: readonly string[];
  readonly formats: readonly string[];
  readonly layouts: readonly string[];
  readonly filter: string;
  readonly rivals: readonly string[];
  readonly json?: string | undefined;
}

/** The help text of everything, or of one benchmark. */
export function usage(name?: BenchmarkName): string {
  const line = (option: OptionName) => `  --${option} ${optionTexts[option]}`;
  if (name === undefined) {
    const width = Math.max(...Object.keys(benchmarks).map(({ length }) => length)) + 2;
    return [
      'npm run bench -- <name>[,<name>…] [options]',
      '',
      ...Object.entries(benchmarks).map(([each, { summary }]) => `  ${each.padEnd(width)}${summary}`),
      '',
      'Options of all (npm run bench -- <name> --help shows the others):',
      ...commonOptions.map(line),
    ].join('\n');
  }
  const { summary, options } = benchmarks[name] as BenchmarkHelp;
  return [`npm run bench -- ${name} [options]`, '', summary, '', ...[...options, ...commonOptions].map(line)].join(
    '\n',
  );
}

/**
 * Reads and checks a command line.
 *
 * @param parts - names that `--only` takes
 * @returns a request, or the help text that was asked for
 * @throws {InvalidArgumentError} a name or an option that does not exist, or a value outside what is allowed
 */
export function parseCommandLine(words: readonly string[], parts: readonly string[]): BenchmarkRequest | string {
  const { values, positionals } = readWords(words);
  const names = split(positionals[0]);
  const [unknown] = names.filter((name) => !Object.hasOwn(benchmarks, name));
  if (unknown !== undefined) refuse('name', Object.keys(benchmarks), unknown);
  if (values.help || names.length === 0) return usage(names[0] as BenchmarkName | undefined);

  const device = values.device;
  const size = oneOf('--size', ['full', 'small'], values.size ?? (device === 'cpu' ? 'small' : 'full'));
  const dtype = oneOf('--dtype', ['bf16', 'f16', 'f32'], values.dtype ?? (device === 'cpu' ? 'f32' : 'bf16'));
  const only = split(values.only);
  only.forEach((part) => oneOf('--only', parts, part));
  return {
    names: names as BenchmarkName[],
    model: oneOf(
      '--model',
      Object.keys(benchmarkConfigs) as BenchmarkModel[],
      values.model ?? (size === 'small' ? 'tiny' : 'janus-pro-7b'),
    ),
    device,
    dtype,
    quantization: oneOf('--quantization', ['none', 'int8'], values.quantization),
    kv: oneOf('--kv', Object.keys(cacheFormats) as CacheDType[], values.kv ?? dtype),
    size,
    runs: count('--runs', values.runs) ?? 7,
    batches: counts('--batch', values.batch),
    contexts: counts('--context', values.context),
    counts: counts('--count', values.count),
    steps: count('--steps', values.steps),
    requests: count('--requests', values.requests),
    checkpoint: values.checkpoint,
    folder: values.folder,
    only,
    formats: split(values.formats),
    layouts: split(values.layouts),
    filter: values.filter,
    rivals: split(values.rivals),
    json: values.json,
  };
}

function readWords(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        model: { type: 'string' },
        random: { type: 'boolean', default: true },
        device: { type: 'string', default: 'cuda' },
        dtype: { type: 'string' },
        quantization: { type: 'string', default: 'none' },
        kv: { type: 'string' },
        batch: { type: 'string' },
        context: { type: 'string' },
        count: { type: 'string' },
        steps: { type: 'string' },
        checkpoint: { type: 'string' },
        folder: { type: 'string' },
        runs: { type: 'string' },
        filter: { type: 'string', default: '' },
        only: { type: 'string' },
        formats: { type: 'string', default: 'bf16,fp8,int8,int4' },
        layouts: { type: 'string', default: 'HND' },
        requests: { type: 'string' },
        size: { type: 'string' },
        rivals: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(`bench: option is not allowed: ${problem} See npm run bench -- --help.`);
  }
}

const split = (text: string | undefined) => (text ?? '').split(',').filter((word) => word !== '');

function refuse(what: string, allowed: readonly string[], got: string): never {
  throw new InvalidArgumentError(
    `bench: ${what} is not allowed: expected ${allowed.join(' | ')}, got ${got}. See npm run bench -- --help.`,
    { option: what, got },
  );
}

function oneOf<Value extends string>(what: string, allowed: readonly Value[], got: string): Value {
  return allowed.find((value) => value === got) ?? refuse(what, allowed, got);
}

function count(what: string, text: string | undefined): number | undefined {
  return text === undefined ? undefined : positive(what, text);
}

function counts(what: string, text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  const numbers = split(text).map((word) => positive(what, word));
  return numbers.length > 0 ? numbers : refuse(what, ['a list of positive integers'], '""');
}

function positive(what: string, text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : refuse(what, ['a positive integer'], text);
}
