// What buckets promise about graphs, on any device: budget, failures, changes, what they tell, and what they leave behind.

import { affine, fromArray, leakReport, OutOfMemoryError, write, zeros } from '@limen/tensor';
import { expect, test } from 'vitest';

import { canCapture } from '../can-capture.js';
import { capture } from '../capture.js';
import { GraphRuntime } from '../graph-runtime.js';
import { expectClose, numbers, replayAtOnce } from './checking.js';
import { expectedSoftmax, maskedSoftmax, matrix, ramp, scaledRows } from './bucketed-examples.js';

/** Registers the tests for a device. */
export function checkGraphStates(device: string): void {
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

  test('inside the capture of something larger a function becomes a part of it', async () => {
    using runtime = GraphRuntime.create({ device });
    using x = matrix(device, ramp(6), 2);
    const f = runtime.bucketed('double', {
      axes: { rows: [4] },
      inputs: { x: { shape: ['rows', 3] } },
      outputs: { y: ['rows', 3] },
      verifyFirstReplay: false,
      step: ({ x: rows }) => ({ y: affine({ x: rows }, { scale: 2 }) }),
    });
    const whole = () => {
      using inner = f.run({ x });
      return affine({ x: inner.outputs.y }, { offset: 1 });
    };
    using graph = capture(device, whole);
    expect(f.unbucketed).toEqual({ 'inside another capture': 1 });
    expect(await numbers(graph.replay())).toEqual(ramp(6).map((value) => 2 * value + 1));
    expect(f.buckets[0]).toMatchObject({ state: 'captured', failures: 0 });
  });

  test('a bucket is prepared on request, and only a declared one', () => {
    using runtime = GraphRuntime.create({ device });
    const f = maskedSoftmax(runtime, [1, 2], [4, 8], replayAtOnce);
    expect(f.prepare({ rows: 2, tokens: 8 })).toBe(1);
    expect(() => f.prepare({ rows: 2, tokens: 6 })).toThrow('expected rows=2 tokens=8, got rows=2 tokens=6');
    expect(() => f.prepare({ rows: 3, tokens: 8 })).toThrow('expected at most rows=2, got rows=3 tokens=8');
    using result = f.run({ x: ramp(16) }, { rows: 2 });
    expect([result.ran, runtime.statistics().captures]).toEqual(['graph', 1]);
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
