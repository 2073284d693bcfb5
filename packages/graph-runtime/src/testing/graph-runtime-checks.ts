// What buckets promise, on any device: graph-runtime.test.ts runs it on the CPU, graph-runtime.gpu.test.ts on a GPU.

import type { Tensor } from '@limen/tensor';
import { affine, fromArray, leakReport, OutOfMemoryError, read, write, zeros } from '@limen/tensor';
import { expect, test } from 'vitest';

import { canCapture } from '../can-capture.js';
import { GraphRuntime } from '../graph-runtime.js';
import {
  expectedSoftmax,
  expectedSums,
  maskedSoftmax,
  matrix,
  paddedSum,
  ramp,
  scaledRows,
} from './bucketed-examples.js';

const replayAtOnce = { verifyFirstReplay: false } as const;

/** Values of an output as plain numbers. */
async function numbers(tensor: Tensor): Promise<number[]> {
  return [...(await read(tensor))];
}

function expectClose(got: readonly number[], expected: readonly number[]): void {
  expect(got.length).toBe(expected.length);
  for (const [index, value] of got.entries()) expect(value).toBeCloseTo(expected[index] ?? NaN, 5);
}

/** Registers the tests for a device. */
export function checkBuckets(device: string): void {
  test('a request runs in the smallest bucket on every axis, padded, masked and cut to its rows', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [1, 2, 4], [4, 8], replayAtOnce);
    for (const [rows, tokens, bucket] of [
      [1, 3, { rows: 1, tokens: 4 }],
      [3, 5, { rows: 4, tokens: 8 }],
      [4, 8, { rows: 4, tokens: 8 }],
      [2, 4, { rows: 2, tokens: 4 }],
      [3, 2, { rows: 4, tokens: 4 }],
      [1, 6, { rows: 1, tokens: 8 }],
      [3, 1, { rows: 4, tokens: 4 }],
    ] as const) {
      const x = ramp(rows * tokens, rows);
      using result = f.run({ x }, { rows });
      expect(result).toMatchObject({ ran: 'graph', bucket, sizes: { rows, tokens } });
      expect(result.outputs.y.shape).toEqual([rows, tokens]);
      expectClose(await numbers(result.outputs.y), expectedSoftmax(x, rows));
    }
  });

  test('what an earlier, larger request left beyond a smaller one is padding again', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = paddedSum(runtime, [3], [4], replayAtOnce);
    for (const [rows, tokens] of [
      [3, 4],
      [2, 3],
      [3, 2],
      [1, 4],
      [2, 1],
    ] as const) {
      const x = ramp(rows * tokens, 1);
      using result = f.run({ x }, { rows });
      expect(result.ran).toBe('graph');
      expect(await numbers(result.outputs.y)).toEqual(expectedSums(x, rows));
    }
  });

  test('the first call is served eagerly while its replay is compared, the next ones replay', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [2], [4]);
    const ran: unknown[] = [];
    for (let call = 0; call < 3; call++) {
      using result = f.run({ x: ramp(8, call) }, { rows: 2 });
      expectClose(await numbers(result.outputs.y), expectedSoftmax(ramp(8, call), 2));
      ran.push(result.ran);
      await runtime.settled();
    }
    expect(ran).toEqual([{ fallback: 'first replay is compared' }, 'graph', 'graph']);
    expect(runtime.events.list().map(({ kind }) => kind)).toEqual(['captured', 'verified']);
    expect(runtime.statistics()).toMatchObject({ requests: 3, replays: 2, eagerRuns: 1, captures: 1, graphs: 1 });
  });

  test('a step that takes a value from JavaScript fails the comparison and never replays', async () => {
    using runtime = GraphRuntime.create({ device });
    let calls = 0;
    const f = runtime.bucketed('counting', {
      axes: { rows: [2] },
      inputs: { x: { shape: ['rows'] } },
      outputs: { y: ['rows'] },
      maxFailures: 1,
      step: ({ x }) => ({ y: affine({ x }, { offset: ++calls }) }),
    });
    for (let call = 0; call < 4; call++) {
      using result = f.run({ x: [1, 2] });
      expect(result.ran).not.toBe('graph');
      expect(await numbers(result.outputs.y)).toEqual([1 + calls, 2 + calls]);
      await runtime.settled();
    }
    expect(f.buckets[0]).toMatchObject({ state: 'failed', replays: 0, failures: 1 });
    expect(runtime.events.list('verification-failed')[0]?.text).toMatch(/^y differs from the eager run by up to 0\.\d/);
  });

  test('in the background, eager runs serve until a turn of the event loop has captured', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [1, 2], [4], { ...replayAtOnce, mode: 'background' });
    using first = f.run({ x: ramp(8) }, { rows: 2 });
    using second = f.run({ x: ramp(4) }, { rows: 1 });
    expect([first.ran, second.ran]).toEqual([{ fallback: 'not captured yet' }, { fallback: 'not captured yet' }]);
    expectClose(await numbers(first.outputs.y), expectedSoftmax(ramp(8), 2));
    expect(f.buckets.map(({ state }) => state)).toEqual(['queued', 'queued']);
    await runtime.settled();
    expect(f.buckets.map(({ state }) => state)).toEqual(['captured', 'captured']);
    using third = f.run({ x: ramp(8) }, { rows: 2 });
    expect(third.ran).toBe('graph');
    expectClose(await numbers(third.outputs.y), expectedSoftmax(ramp(8), 2));
  });

  test('ahead of requests every combination is captured, the largest first, in memory that they share', () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [1, 2, 64], [512, 1024], { ...replayAtOnce, mode: 'ahead' });
    const { buckets, poolBytes, graphs } = runtime.statistics();
    expect(graphs).toBe(6);
    expect(buckets[0]?.bucket).toEqual({ rows: 64, tokens: 1024 });
    const apart = buckets.reduce((sum, { workBytes }) => sum + workBytes, 0);
    expect(poolBytes).toBeLessThan(0.6 * apart);
    expect(f.prepare()).toBe(0);
  });

  test('a byte budget evicts the graph used longest ago, and its bucket is captured again when asked for', () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [1, 2, 4], [64], replayAtOnce);
    const call = (rows: number) => f.run({ x: ramp(rows * 64) }, { rows })[Symbol.dispose]();
    [4, 2, 1].forEach(call);
    runtime.setByteBudget(runtime.statistics().bytes);
    const before = runtime.statistics().bytes;
    call(4);
    runtime.setByteBudget(before - 1);
    const captured = () =>
      f.buckets.filter(({ state }) => state === 'captured').map(({ bucket }) => bucket['rows'] ?? 0);
    expect(captured()).toEqual([4, 1]);
    expect(runtime.events.list('evicted').map(({ bucket }) => bucket)).toEqual(['rows=2 tokens=64']);
    call(2);
    expect(captured()).toContain(2);
    expect(runtime.statistics().bytes).toBeLessThan(before);
  });

  test('a graph that alone exceeds the budget leaves its bucket eager, until the budget grows', async () => {
    using runtime = GraphRuntime.create({ device, byteBudget: 16 });
    const f = maskedSoftmax(runtime, [1], [4], replayAtOnce);
    for (let call = 0; call < 3; call++) {
      using result = f.run({ x: ramp(4) }, { rows: 1 });
      expect(result.ran).toEqual({ fallback: 'the graph does not fit the byte budget' });
      expectClose(await numbers(result.outputs.y), expectedSoftmax(ramp(4), 1));
    }
    expect(runtime.statistics()).toMatchObject({ captures: 1, bytes: 0, graphs: 0 });
    runtime.setByteBudget(Infinity);
    using result = f.run({ x: ramp(4) }, { rows: 1 });
    expect(result.ran).toBe('graph');
  });

  test('a capture that finds the device full is tried again with every other graph gone', () => {
    using runtime = GraphRuntime.create({ device });
    let full = false;
    const inside = () => {
      if (!full) return;
      full = false;
      throw new OutOfMemoryError(device, { needBytes: 2, freeBytes: 1, inUseBytes: 0, budgetBytes: Infinity });
    };
    const f = maskedSoftmax(runtime, [1, 2], [4], { ...replayAtOnce, inside });
    f.run({ x: ramp(4) }, { rows: 1 })[Symbol.dispose]();
    full = true;
    using result = f.run({ x: ramp(8) }, { rows: 2 });
    expect(result.ran).toBe('graph');
    expect(runtime.events.list().map(({ kind, bucket }) => `${kind} ${bucket}`)).toEqual([
      'captured rows=1 tokens=4',
      'evicted rows=1 tokens=4',
      'captured rows=2 tokens=4',
    ]);
  });

  test('an axis may have no entries: a request without images runs in the bucket of one, all padding', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = runtime.bucketed('mix', {
      axes: { batch: [2, 4], length: [64, 128, 256], images: [1, 2] },
      inputs: { text: { shape: ['batch', 'length'] }, pictures: { shape: ['images', 'length'], padding: 1 } },
      outputs: { text: ['batch', 'length'], pictures: ['images', 'length'] },
      verifyFirstReplay: false,
      step: ({ text, pictures }) => ({ text: affine({ x: text }, { scale: 3 }), pictures }),
    });
    for (const [batch, length, images, bucket] of [
      [3, 65, 0, { batch: 4, length: 128, images: 1 }],
      [1, 64, 2, { batch: 2, length: 64, images: 2 }],
      [4, 200, 1, { batch: 4, length: 256, images: 1 }],
    ] as const) {
      using text = matrix(device, ramp(batch * length), batch);
      using pictures = fromArray(ramp(images * length, 7), [images, length], { device });
      using result = f.run({ text, pictures });
      expect(result).toMatchObject({ ran: 'graph', bucket });
      expect(await numbers(result.outputs.text)).toEqual(ramp(batch * length).map((value) => 3 * value));
      expect(await numbers(result.outputs.pictures)).toEqual(ramp(images * length, 7));
    }
  });

  test('a failed capture is tried again after 1 and 4 eager runs, then no more until invalidated', () => {
    using runtime = GraphRuntime.create({ device });
    let broken = true;
    const inside = () => {
      if (broken) fromArray([1], [1], { device }).dispose();
    };
    const f = maskedSoftmax(runtime, [1], [4], { ...replayAtOnce, inside, warmUps: 0 });
    const failuresAfterCalls = Array.from({ length: 12 }, () => {
      f.run({ x: ramp(4) }, { rows: 1 })[Symbol.dispose]();
      return f.buckets[0]?.failures;
    });
    expect(failuresAfterCalls).toEqual([1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]);
    expect(f.buckets[0]).toMatchObject({ state: 'failed', eagerRuns: 12, captures: 0 });
    expect(f.buckets[0]?.lastFailure).toContain('copying from the host');
    broken = false;
    f.run({ x: ramp(4) }, { rows: 1 })[Symbol.dispose]();
    expect(f.buckets[0]?.state).toBe('failed');
    runtime.invalidate('the step was repaired');
    using result = f.run({ x: ramp(4) }, { rows: 1 });
    expect(result.ran).toBe('graph');
  });

  test('a replaced weight is captured anew; new values in its memory and in parameters are not', async () => {
    using runtime = GraphRuntime.create({ device });
    using gain = runtime.parameter([0]);
    using first = fromArray([1, 2, 3], [3], { device });
    using second = fromArray([10, 20, 30], [3], { device });
    let weight = first;
    const f = scaledRows(runtime, [2], () => weight, gain.tensor, replayAtOnce);
    const ask = async () => {
      using result = f.run({ x: [1, 1, 1] });
      expect(result.ran).toBe('graph');
      return numbers(result.outputs.y);
    };
    expect(await ask()).toEqual([1, 2, 3]);
    write(first, [4, 5, 6]);
    gain.set(0.5);
    expect(await ask()).toEqual([4.5, 5.5, 6.5]);
    expect(f.buckets[0]?.captures).toBe(1);
    weight = second;
    expect(await ask()).toEqual([10.5, 20.5, 30.5]);
    expect(f.buckets[0]?.captures).toBe(2);
    expect(runtime.events.list('invalidated').map(({ text }) => text)).toEqual(['weights were replaced']);
  });

  test('views of a replay end when their bucket runs again, and outlive its eviction', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [1, 2], [4], replayAtOnce);
    const old = f.run({ x: ramp(4) }, { rows: 1 }).outputs.y;
    const pending = read(old);
    using other = f.run({ x: ramp(8) }, { rows: 2 });
    expect(old.disposed).toBe(false);
    using next = f.run({ x: ramp(4, 5) }, { rows: 1 });
    expect(old.disposed).toBe(true);
    expectClose([...(await pending)], expectedSoftmax(ramp(4), 1));
    runtime.invalidate('to drop every graph');
    using again = f.run({ x: ramp(4, 9) }, { rows: 1 });
    expectClose(await numbers(next.outputs.y), expectedSoftmax(ramp(4, 5), 1));
    expectClose(await numbers(other.outputs.y), expectedSoftmax(ramp(8), 2));
    expectClose(await numbers(again.outputs.y), expectedSoftmax(ramp(4, 9), 1));
  });

  test('replays on a side stream see the ops before them, and ops after a look at the outputs see them', async () => {
    using runtime = GraphRuntime.create({ device, sideStream: true });
    using gain = runtime.parameter([0]);
    using weight = fromArray([1, 2, 3], [3], { device });
    const f = scaledRows(runtime, [256], () => weight, gain.tensor, replayAtOnce);
    for (let call = 0; call < 20; call++) {
      using ones = matrix(device, new Array<number>(600).fill(1), 200);
      using x = affine({ x: ones }, { scale: call });
      gain.set(call);
      using result = f.run({ x });
      expect(result.ran).toBe('graph');
      using after = affine({ x: result.outputs.y }, { offset: 1 });
      const got = await numbers(after);
      expect(got.slice(-3)).toEqual([2 * call + 1, 3 * call + 1, 4 * call + 1]);
    }
  });

  test('what no bucket holds runs eagerly as it is, with the axis as the reason', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [2], [4], replayAtOnce);
    for (const tokens of [5, 9]) {
      using result = f.run({ x: ramp(tokens) }, { rows: 1 });
      expect(result).toMatchObject({ ran: { fallback: 'larger than every bucket of tokens' }, bucket: undefined });
      expectClose(await numbers(result.outputs.y), expectedSoftmax(ramp(tokens), 1));
    }
    expect(runtime.statistics()).toMatchObject({
      unbucketed: { 'larger than every bucket of tokens': 2 },
      eagerRuns: 2,
      hitRate: 0,
    });
    expect(runtime.events.list('fallback')).toHaveLength(1);
  });

  test('an exact axis gets a graph for each size that occurs, so that other shapes are captured anew', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = runtime.bucketed('double', {
      axes: { rows: [4], width: 'exact' },
      inputs: { x: { shape: ['rows', 'width'] }, count: { sizeOf: 'rows' } },
      outputs: { y: ['rows', 'width'], count: [1] },
      verifyFirstReplay: false,
      step: ({ x, count }) => ({ y: affine({ x }, { scale: 2 }), count }),
    });
    for (const [rows, width] of [
      [3, 5],
      [2, 7],
      [4, 5],
      [0, 5],
    ] as const) {
      using x = fromArray(ramp(rows * width), [rows, width]); // on the CPU: it is brought to the device
      using result = f.run({ x });
      expect(result).toMatchObject({ ran: 'graph', bucket: { rows: 4, width } });
      expect(await numbers(result.outputs.y)).toEqual(ramp(rows * width).map((value) => 2 * value));
      expect(await numbers(result.outputs.count)).toEqual([rows]);
    }
    expect(runtime.statistics().captures).toBe(2);
    expect(() => f.prepare()).toThrow(/'exact'/);
  });

  test('every graph tells its nodes, bytes and times, and timing leaves results as they are', async () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [1, 2], [4], replayAtOnce);
    using one = f.run({ x: ramp(4) }, { rows: 1 });
    using two = f.run({ x: ramp(8) }, { rows: 2 });
    await runtime.timeGraphs({ replays: 3 });
    for (const facts of f.buckets) {
      expect(facts.inputBytes).toBe(facts.bucket['rows'] === 1 ? 32 : 64);
      for (const figure of [facts.nodeCount, facts.workBytes, facts.captureMilliseconds, facts.replayMilliseconds]) {
        expect(figure).toBeGreaterThan(0);
      }
      expect(facts.replays).toBe(1);
    }
    expectClose(await numbers(one.outputs.y), expectedSoftmax(ramp(4), 1));
    expectClose(await numbers(two.outputs.y), expectedSoftmax(ramp(8), 2));
  });

  test('canCapture says yes with the size of the graph, or no with the reason, and runs nothing', async () => {
    using x = zeros([4], { device });
    expect(canCapture(device)).toMatchObject({ possible: true, nodeCount: 0 });
    expect(canCapture(device, () => void affine({ x }, { offset: 1, out: x }))).toMatchObject({ possible: true });
    expect(await numbers(x)).toEqual([0, 0, 0, 0]);
    const verdict = canCapture(device, () => fromArray([1], [1], { device }));
    expect(verdict).toMatchObject({ possible: false });
    expect(verdict.possible ? '' : verdict.reason).toContain('copying from the host cannot be recorded');
    expect(canCapture('cuda:99')).toMatchObject({ possible: false });
  });

  test('nothing is left behind: not after failures, eviction or disposal', async () => {
    const before = leakReport().length;
    {
      using runtime = GraphRuntime.create({ device, byteBudget: 4096 });
      let broken = false;
      const inside = () => {
        if (broken) fromArray([1], [1], { device }).dispose();
      };
      const f = maskedSoftmax(runtime, [1, 2, 4], [16], { inside });
      for (let call = 0; call < 24; call++) {
        broken = call % 5 === 0;
        if (call === 12) runtime.invalidate('half time');
        const rows = [1, 3, 2][call % 3] ?? 1;
        f.run({ x: ramp(rows * 16) }, { rows })[Symbol.dispose]();
        await runtime.settled();
      }
    }
    expect(leakReport().length).toBe(before);
  });
}
