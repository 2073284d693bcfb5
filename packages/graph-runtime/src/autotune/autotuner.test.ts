import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { affine, InvalidArgumentError, leakReport, zeros } from '@limen/tensor';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';

import { findBucket } from '../bucket-sizes.js';
import { Autotuner } from './autotuner.js';
import { chooseBucketSizes } from './choose-bucket-sizes.js';
import { machineOf } from './machine.js';
import { timeStep } from './time-step.js';

const folder = mkdtempSync(join(tmpdir(), 'limen-tuning-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const machine = { device: 'GPU A', driver: '580.1', capability: 'sm_90', kernels: '1.0.0' };

/** Steps that say what they cost. */
const priced = (cost: number) => Object.assign(() => zeros([1]), { cost });
const time = (step: () => unknown) => Promise.resolve((step as ReturnType<typeof priced>).cost);

describe('chooseBucketSizes', () => {
  test('leaves out a size whose step costs as much as the next larger one', () => {
    const costs = new Map([
      [1, 3],
      [2, 3.01],
      [4, 3.02],
      [8, 3.05],
      [16, 6],
    ]);
    expect(chooseBucketSizes({ costs }).sizes).toEqual([8, 16]);
    expect(chooseBucketSizes({ costs, slack: 0 }).sizes).toEqual([1, 2, 4, 8, 16]);
    expect(chooseBucketSizes({ costs, maxBuckets: 1 })).toEqual({ sizes: [16], expectedCost: 6 });
    expect(chooseBucketSizes({ costs, demand: (size) => (size === 16 ? 1 : 0) }).sizes).toEqual([16]);
  });

  test('is no worse than any other choice of at most as many sizes', () => {
    const candidate = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 0, max: 50 }));
    const candidates = fc.uniqueArray(candidate, { minLength: 1, maxLength: 6, selector: ([size]) => size });
    const demands = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(candidates, demands, fc.integer({ min: 1, max: 6 }), (pairs, weights, maxBuckets) => {
        const costs = new Map(pairs);
        const demand = (size: number) => weights[size - 1] ?? 0;
        const { sizes, expectedCost } = chooseBucketSizes({ costs, demand, maxBuckets, slack: 0 });
        const all = [...costs.keys()].toSorted((a, b) => a - b);
        const largest = all.at(-1) ?? 0;
        const costOf = (chosen: readonly number[]) => {
          const requests = Array.from({ length: largest }, (_, index) => index + 1);
          const total = requests.reduce((sum, size) => sum + demand(size), 0);
          const paid = (size: number) => demand(size) * (costs.get(findBucket(chosen, size) ?? 0) ?? Infinity);
          return requests.reduce((sum, size) => sum + paid(size), 0) / total;
        };
        expect(sizes.length).toBeLessThanOrEqual(maxBuckets);
        expect(costOf(sizes)).toBeCloseTo(expectedCost, 9);
        for (let subset = 0; subset < 2 ** all.length; subset++) {
          const chosen = all.filter((_, index) => subset & (1 << index));
          if (chosen.length > maxBuckets || !chosen.includes(largest)) continue;
          expect(costOf(chosen)).toBeGreaterThanOrEqual(expectedCost - 1e-9);
        }
      }),
      { seed: 8, numRuns: 300 },
    );
  });

  test.each([
    { costs: new Map<number, number>() },
    { costs: new Map([[1, NaN]]) },
    { costs: new Map([[1, 1]]), maxBuckets: 0 },
    { costs: new Map([[1, 1]]), demand: () => 0 },
    { costs: new Map([[1, 1]]), demand: () => -1 },
  ])('rejects %o', (choice) => {
    expect(() => chooseBucketSizes(choice)).toThrowError(InvalidArgumentError);
  });
});

describe('Autotuner', () => {
  test('picks the fastest variant, stores it with the machine, and measures nothing the next time', async () => {
    const file = join(folder, 'variants', 'tuning.json');
    const variants = { plain: priced(3), fused: priced(1), split: priced(2) };
    const measured = await new Autotuner({ device: 'cpu', file, machine, time }).variant('head', variants);
    expect(measured).toEqual({ choice: 'fused', from: 'measured', milliseconds: { plain: 3, fused: 1, split: 2 } });
    const never = () => Promise.reject(new RangeError('measured again'));
    const again = await new Autotuner({ device: 'cpu', file, machine, time: never }).variant('head', variants);
    expect(again).toMatchObject({ choice: 'fused', from: 'file' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1, choices: [{ key: 'head', machine }] });
    expect(readdirSync(join(folder, 'variants'))).toEqual(['tuning.json']);
  });

  test.each([{ device: 'GPU B' }, { driver: '590.2' }, { capability: 'sm_100' }, { kernels: '1.1.0' }])(
    'measures anew on a machine with another %o, and keeps both choices',
    async (other) => {
      const file = join(folder, `${Object.keys(other).join()}.json`);
      const slowFirst = { a: priced(2), b: priced(1) };
      const fastFirst = { a: priced(1), b: priced(2) };
      await new Autotuner({ device: 'cpu', file, machine, time }).variant('key', slowFirst);
      const second = new Autotuner({ device: 'cpu', file, machine: { ...machine, ...other }, time });
      expect(await second.variant('key', fastFirst)).toMatchObject({ choice: 'a', from: 'measured' });
      const first = new Autotuner({ device: 'cpu', file, machine, time });
      expect(await first.variant('key', fastFirst)).toMatchObject({ choice: 'b', from: 'file' });
    },
  );

  test('picks batch buckets from measured costs', async () => {
    const file = join(folder, 'buckets.json');
    const disposed: number[] = [];
    const build = (size: number) => ({ step: () => size, [Symbol.dispose]: () => void disposed.push(size) });
    const costs: Record<number, number> = { 1: 3, 2: 3, 4: 3, 8: 5 };
    const timeSize = (step: () => unknown) => Promise.resolve(costs[step() as number] ?? NaN);
    const tuner = new Autotuner({ device: 'cpu', file, machine, time: timeSize });
    expect(await tuner.buckets('decode', [1, 2, 4, 8], build)).toMatchObject({ choice: [4, 8], from: 'measured' });
    expect(disposed).toEqual([1, 2, 4, 8]);
    expect(await tuner.buckets('decode', [1, 2, 4, 8], build)).toMatchObject({ choice: [4, 8], from: 'file' });
    expect(await tuner.buckets('decode', [1, 2, 8], build)).toMatchObject({ choice: [2, 8], from: 'measured' });
  });

  test('refuses a variant that computes something else', async () => {
    using x = zeros([4]);
    const variants = { right: () => affine({ x }), wrong: () => affine({ x }, { offset: 1 }) };
    const tuner = new Autotuner({ device: 'cpu' });
    await expect(tuner.variant('key', variants)).rejects.toThrow('variant wrong of key computes something else');
    await expect(tuner.variant('key', {})).rejects.toBeInstanceOf(InvalidArgumentError);
  });

  test('starts anew, and says so, where the file cannot be read', async () => {
    const file = join(folder, 'broken.json');
    writeFileSync(file, '{"version": 1, "choices": [');
    const tuner = new Autotuner({ device: 'cpu', file, machine, time });
    expect(tuner.ignored).toMatch(/JSON/);
    await tuner.variant('key', { a: priced(1) });
    expect(new Autotuner({ device: 'cpu', file }).ignored).toBeUndefined();
  });

  test('measures real steps on this machine and leaves nothing behind', async () => {
    const before = leakReport().length;
    {
      using x = zeros([64, 64]);
      const step = () => affine({ x }, { scale: 2 });
      expect(await timeStep('cpu', step, { runs: 3, steps: 2 })).toBeGreaterThan(0);
    }
    expect(leakReport().length).toBe(before);
    expect(machineOf('cpu')).toMatchObject({ driver: `node ${process.versions.node}` });
  });
});
