// What buckets promise about requests, on any device: which graph they get, what pads them, what comes back.

import { affine, fromArray, read } from '@limen/tensor';
import { expect, test } from 'vitest';

import { GraphRuntime } from '../graph-runtime.js';
import { expectClose, numbers, replayAtOnce } from './checking.js';
import {
  expectedSoftmax,
  expectedSums,
  maskedSoftmax,
  matrix,
  paddedSum,
  ramp,
  scaledRows,
} from './bucketed-examples.js';

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
    expect(f.buckets.map(({ state }) => state)).toEqual(['queued', 'queued']); // before the first turn of the event loop
    expectClose(await numbers(first.outputs.y), expectedSoftmax(ramp(8), 2));
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
}
