// Every benchmark runs on a CPU with small sizes, names what it measures, and leaves nothing behind.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expectedTensors, loadJanus } from '@limen/models-janus';
import { InvalidArgumentError, leakReport, openCheckpoint } from '@limen/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { memoryMix, mixedLengths, slotsOfMix } from './articles.js';
import { firstContext, stepsEach, warmUps } from './decode.js';
import { summarizeLoop } from './lib/generation-loop.js';
import { writeCheckpoint } from './lib/checkpoint/write-checkpoint.js';
import { type BenchmarkRequest, benchmarks, parseCommandLine, usage } from './lib/command-line.js';
import { benchmarkConfigs, wordIds } from './lib/random-janus.js';
import type { Results } from './lib/report.js';
import { runBenchmarks } from './run-benchmarks.js';
import { benchStart, startMeasurements, StartFailedError } from './start.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'limen-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function request(...words: string[]): BenchmarkRequest {
  const parsed = parseCommandLine([...words, '--device', 'cpu', '--runs', '1'], ['swap']);
  if (typeof parsed === 'string') throw new InvalidArgumentError('a help text, not a request');
  return parsed;
}

describe('npm run bench on a CPU', () => {
  it('decode: captured and eager, the loop of the host, and 8-bit weights at batch 1', async () => {
    const before = leakReport().length;
    const json = join(folder, 'decode.json');
    const { measurements, failures } = await runBenchmarks(request('decode', '--json', json));
    expect(failures).toBe(0);
    expect(measurements.map(({ id, unit }) => `${id} ${unit}`)).toEqual([
      ...['b1/c20', 'b1/c20/eager', 'b2/c20', 'b2/c20/eager'].map((varies) => `decode/tiny/f32/${varies} tok/s`),
      'decode-loop/tiny/f32/b1/c20 tok/s',
      'decode-host/tiny/f32/b1/c20 us',
      'decode-host/tiny/f32/b1/c20/launch us',
      ...['', '/eager'].map((way) => `decode/tiny/int8/b1/c20${way} tok/s`),
    ]);
    expect(measurements.every(({ median }) => median > 0)).toBe(true);
    expect((JSON.parse(readFileSync(json, 'utf8')) as Results).measurements).toEqual(measurements);
    expect(leakReport().length).toBe(before);
  });

  it('prefill, draw and the image decoder: one at a time and in batches', async () => {
    const bothWays = (id: string) => [id, `${id}/captured`];
    const before = leakReport().length;
    const { measurements } = await runBenchmarks(request('prefill,draw,image-decoder', '--count', '1,3'));
    expect(measurements.map(({ id }) => id)).toEqual([
      ...['b1/t40i1', 'b1/t40i0', 'b2/t24i0'].flatMap((varies) => bothWays(`prefill/tiny/f32/${varies}`)),
      ...bothWays('tower/tiny/f32/n1'),
      'draw/tiny/f32/n1',
      'draw/tiny/f32/n3',
      ...['n1', 'n3'].flatMap((count) => bothWays(`image-decoder/tiny/f32/${count}`)),
    ]);
    expect(measurements.every(({ median }) => median > 0)).toBe(true);
    expect(leakReport().length).toBe(before);
  });

  it('articles: latency with its deviation, both ways, and memory that pages save', async () => {
    const before = leakReport().length;
    const { measurements } = await runBenchmarks(request('articles', '--kv', 'int8'));
    const ids = measurements.map(({ id }) => id);
    expect(ids).toHaveLength(2 * 2 * 2 * 2 + 3);
    expect(ids).toContain('articles-latency/tiny/f32/b2/c32/kv-int8/captured');
    expect(measurements.filter(({ id }) => id.includes('latency')).every(({ deviation = -1 }) => deviation >= 0)).toBe(
      true,
    );
    expect(leakReport().length).toBe(before);
  });

  it('ops, captures, parts of the cache and ceilings, one after the other', async () => {
    const before = leakReport().length;
    const line = 'ops,capture,kv,ceilings --filter siluMul --only swap --batch 2';
    const { measurements } = await runBenchmarks(request(...line.split(' ')));
    const kinds = ['op/siluMul/', 'capture/janus-tiny/f32/time', 'kv-swap/', 'ceiling/'];
    for (const kind of kinds) expect(measurements.filter(({ id }) => id.startsWith(kind))).not.toEqual([]);
    expect(leakReport().length).toBe(before);
  });
});

describe('start', () => {
  const fromSource = ['--import', 'tsx', '--conditions=limen-source'];

  it('loads a written checkpoint in a fresh process, says where the time went, and removes what it wrote', async () => {
    const measured = await benchStart({ ...request('start'), folder }, fromSource);
    const [whole, ...parts] = measured.slice(0, -1);
    expect(whole?.id).toBe('start/tiny/f32');
    expect(parts.map(({ id }) => id.split('/').at(-1))).toEqual(
      'process imports addon device files weights token'.split(' '),
    );
    expect(parts.reduce((sum, { median }) => sum + median, 0)).toBeCloseTo(whole?.median ?? 0, 6);
    expect(readdirSync(folder).filter((name) => name.startsWith('limen-start-'))).toEqual([]);
  });

  it('says what a process that failed said', async () => {
    const failing = benchStart({ ...request('start'), checkpoint: join(folder, 'nothing') }, fromSource);
    await expect(failing).rejects.toThrow(StartFailedError);
    await expect(failing).rejects.toThrow('model not found');
  });

  it('takes the medians of several starts', () => {
    const reached = (first: number) => {
      const [process, imports, addon, device, files, weights, token] = [1, 2, 3, 4, 5, 7, 8].map(
        (at) => first + at * 1000,
      );
      return { process, imports, addon, device, files, weights, token } as Record<'process', number>;
    };
    const starts = [0, 500, 100].map((late) => ({ began: 0, reached: reached(late) as never, bytes: 4e9, token: 1 }));
    const figures = new Map(startMeasurements(starts, 'm/bf16').map(({ id, median }) => [id, median]));
    expect(figures.get('start/m/bf16')).toBeCloseTo(8.1);
    expect(figures.get('start/m/bf16/process')).toBeCloseTo(1.1);
    expect(figures.get('start/m/bf16/weights')).toBeCloseTo(2);
    expect(figures.get('start/m/bf16/weights-rate')).toBeCloseTo(2);
  });
});

describe('a written checkpoint', () => {
  it('has the shape that was asked for, in shards with an index, and a tokenizer for its ids', () => {
    const place = join(folder, 'sharded');
    const bytes = writeCheckpoint(place, benchmarkConfigs.tiny, 100_000);
    expect(existsSync(join(place, 'model.safetensors.index.json'))).toBe(true);
    using source = openCheckpoint(place);
    const expected = expectedTensors(benchmarkConfigs.tiny);
    expect(new Set(source.names())).toEqual(new Set(expected.keys()));
    expect(source.names().reduce((sum, name) => sum + source.info(name).byteLength, 0)).toBe(bytes);
    const { network, tokenizer } = loadJanus(place);
    using loaded = network;
    expect(loaded.config).toEqual(benchmarkConfigs.tiny);
    expect(tokenizer.encode('What is this?').length).toBeGreaterThan(3);
  });

  it('has a vocabulary as large as a published one', async () => {
    const { checkpointTokenizer } = await import('./lib/checkpoint/checkpoint-tokenizer.js');
    const { model, added_tokens } = checkpointTokenizer(benchmarkConfigs['janus-pro-7b']) as {
      model: { vocab: Record<string, number>; merges: unknown[] };
      added_tokens: { id: number }[];
    };
    expect(Object.keys(model.vocab)).toHaveLength(100_000);
    expect(new Set(Object.values(model.vocab)).size).toBe(100_000);
    expect(model.merges.length).toBeGreaterThan(99_000);
    expect(Math.min(...added_tokens.map(({ id }) => id))).toBe(100_000);
  });

  it('is refused where it does not fit', () => {
    const { text } = benchmarkConfigs['janus-pro-7b'];
    const huge = { ...benchmarkConfigs.tiny, text: { ...text, vocabularySize: 1e12 } };
    expect(() => writeCheckpoint(join(folder, 'huge'), huge)).toThrow('has no room for a checkpoint');
  });
});

describe('the command line', () => {
  it('explains itself, as a whole and for each benchmark', () => {
    for (const name of Object.keys(benchmarks)) expect(usage()).toContain(`  ${name} `);
    expect(parseCommandLine([], [])).toBe(usage());
    expect(parseCommandLine(['start', '--help'], [])).toBe(usage('start'));
    expect(usage('start')).toContain('--checkpoint PATH');
    expect(usage('start')).not.toContain('--formats');
  });

  it.each([
    ['decoding', 'name is not allowed'],
    ['decode --batch 0', '--batch is not allowed: expected a positive integer, got 0'],
    ['decode --context 1,x', '--context is not allowed'],
    ['decode --model gpt', '--model is not allowed'],
    ['decode --dtype f64', '--dtype is not allowed: expected bf16 | f16 | f32, got f64'],
    ['decode --quantization int3', '--quantization is not allowed'],
    ['kv --only nothing', '--only is not allowed: expected swap, got nothing'],
    ['decode --speed', 'option is not allowed'],
    ['decode --count ,', '--count is not allowed'],
  ])('refuses %s', (line, problem) => {
    expect(() => parseCommandLine(line.split(' '), ['swap'])).toThrow(InvalidArgumentError);
    expect(() => parseCommandLine(line.split(' '), ['swap'])).toThrow(problem);
  });

  it('takes a GPU and the large model unless told otherwise', () => {
    const asked = parseCommandLine(['decode,draw', '--count', '1,8'], []);
    expect(asked).toMatchObject({ device: 'cuda', size: 'full', model: 'janus-pro-7b', dtype: 'bf16', counts: [1, 8] });
    expect(request('decode')).toMatchObject({ size: 'small', model: 'tiny', dtype: 'f32', kv: 'f32' });
  });
});

describe('figures', () => {
  it('of the loop: idle is what the device did not run of the time without marks', () => {
    const times = { steps: 100, wall: 400, device: undefined, busy: 10, launch: 2 };
    const { tokens, idle, busy, launch } = summarizeLoop([{ plain: times, marked: { ...times, device: 396 } }], 2);
    expect(tokens.median).toBe(500);
    expect(idle?.median).toBeCloseTo(1);
    expect([busy.median, launch.median]).toEqual([100, 20]);
  });

  it('of memory: pages hold less than a page too much for each sequence', () => {
    const { tokens, pages, contiguous } = slotsOfMix(memoryMix);
    const lengths = mixedLengths(memoryMix);
    expect(tokens).toBe(lengths.reduce((sum, length) => sum + length, 0));
    expect(pages - tokens).toBeLessThan(16 * memoryMix.sequences);
    expect(contiguous).toBe(memoryMix.sequences * memoryMix.longest);
    expect(lengths.every((length) => length >= memoryMix.shortest && length <= memoryMix.longest)).toBe(true);
  });

  it('of prompts: ids are words of the vocabulary', () => {
    for (const config of Object.values(benchmarkConfigs)) {
      const ids = wordIds(config, 1000);
      expect(Math.min(...ids)).toBeGreaterThanOrEqual(10);
      expect(Math.max(...ids)).toBeLessThan(config.tokens.bos);
    }
  });
});

it('decode steps that count see the context asked for on average, whatever the number of runs', () => {
  for (const runs of [1, 2, 7, 8]) {
    const first = firstContext(512, runs);
    const counted = Array.from({ length: stepsEach * runs }, (_, step) => first + stepsEach * warmUps + step);
    const mean = counted.reduce((sum, tokens) => sum + tokens, 0) / counted.length;
    expect(Math.abs(mean - 512)).toBeLessThanOrEqual(1);
  }
  expect(firstContext(8, 7)).toBe(1);
});
