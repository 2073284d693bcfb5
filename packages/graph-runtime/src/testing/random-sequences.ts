// Random sequences of requests, evictions, failures, weight swaps and parameter changes: whatever happens, a call
// returns what the function makes of this request, of all of it and of nothing else.

import type { Tensor } from '@limen/tensor';
import { fromArray, leakReport, read } from '@limen/tensor';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { BucketedResult } from '../bucketed-result.js';
import { GraphRuntime } from '../graph-runtime.js';
import { expectedSoftmax, expectedSums, maskedSoftmax, paddedSum, ramp, scaledRows } from './bucketed-examples.js';

const action = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('softmax', 'sum'),
      rows: fc.nat(5),
      tokens: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('scale'), rows: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('swap'), value: fc.integer({ min: -4, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('gain'), value: fc.integer({ min: -4, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('breakage'), broken: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('budget'), share: fc.integer({ min: 5, max: 200 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('invalidate') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle') }) },
);

const sequence = fc.record({
  actions: fc.array(action, { minLength: 10, maxLength: 40 }),
  mode: fc.constantFrom('lazy', 'background'),
  verifyFirstReplay: fc.boolean(),
  sideStream: fc.boolean(),
  budgetShare: fc.oneof(fc.integer({ min: 20, max: 200 }), fc.constant(Infinity)),
  keep: fc.boolean(),
});

type Sequence = typeof sequence extends fc.Arbitrary<infer Value> ? Value : never;

interface Held {
  readonly result: BucketedResult<{ readonly y: unknown }>;
  readonly tensor: Tensor;
  readonly expected: readonly number[];
}

async function expectValues({ tensor, expected }: Pick<Held, 'tensor' | 'expected'>): Promise<void> {
  const got = await read(tensor);
  expect(got.length).toBe(expected.length);
  for (const [index, value] of got.entries()) {
    if (!(Math.abs(value - (expected[index] ?? NaN)) < 1e-5)) expect([...got]).toEqual(expected);
  }
}

/** Counts over all sequences, so that a test can tell that every path was taken. */
interface Tally {
  calls: number;
  replays: number;
  evictions: number;
  failures: number;
  recaptures: number;
}

/** Bytes that two large buckets take on a device: budgets are shares of it, in percent. */
function measureBytes(device: string): number {
  using runtime = GraphRuntime.create({ device });
  using gain = runtime.parameter([0]);
  using weight = fromArray([1, 1, 1], [3], { device });
  maskedSoftmax(runtime, [4], [8], { mode: 'ahead' });
  scaledRows(runtime, [8], () => weight, gain.tensor, { mode: 'ahead' });
  return runtime.statistics().bytes;
}

/** The budget holds, once what compares a first replay has let go of the outputs that it reads. */
async function expectBudgetHeld(runtime: GraphRuntime): Promise<void> {
  const { bytes, byteBudget } = runtime.statistics();
  if (bytes > byteBudget) await runtime.settled();
  const settled = runtime.statistics();
  expect(settled.bytes).toBeLessThanOrEqual(settled.byteBudget);
}

/** Plays one sequence. */
async function playSequence(device: string, bytes: number, played: Sequence, tally: Tally): Promise<void> {
  const { mode, verifyFirstReplay, keep } = played;
  using runtime = GraphRuntime.create({
    device,
    byteBudget: (bytes * played.budgetShare) / 100,
    sideStream: played.sideStream,
  });
  using gain = runtime.parameter([0]);
  let broken = false;
  let weight = fromArray([1, 1, 1], [3], { device });
  let [factor, offset] = [1, 0];
  const inside = () => {
    if (broken) fromArray([1], [1], { device }).dispose();
  };
  const variation = { mode, verifyFirstReplay, inside } as const;
  const softmaxOf = maskedSoftmax(runtime, [1, 2, 4], [2, 8], variation);
  const scale = scaledRows(runtime, [1, 3, 8], () => weight, gain.tensor, variation);
  const sum = paddedSum(runtime, [2, 5], [4, 9], variation);
  const held: Held[] = [];
  for (const [turn, step] of played.actions.entries()) {
    let call: Held | undefined;
    if (step.kind === 'softmax') {
      const x = ramp(step.rows * step.tokens, turn);
      const result = softmaxOf.run({ x }, { rows: step.rows, tokens: step.tokens });
      call = { result, tensor: result.outputs.y, expected: expectedSoftmax(x, step.rows) };
    } else if (step.kind === 'sum') {
      const x = ramp(step.rows * step.tokens, turn);
      const result = sum.run({ x }, { rows: step.rows, tokens: step.tokens });
      call = { result, tensor: result.outputs.y, expected: expectedSums(x, step.rows) };
    } else if (step.kind === 'scale') {
      const x = ramp(step.rows * 3, -turn);
      const result = scale.run({ x });
      call = { result, tensor: result.outputs.y, expected: x.map((value) => value * factor + offset) };
    } else if (step.kind === 'swap') {
      const old = weight;
      factor = step.value;
      weight = fromArray([factor, factor, factor], [3], { device });
      runtime.join();
      old.dispose();
    } else if (step.kind === 'gain') {
      offset = step.value;
      gain.set(offset);
    } else if (step.kind === 'breakage') broken = step.broken;
    else if (step.kind === 'budget') runtime.setByteBudget((bytes * step.share) / 100);
    else if (step.kind === 'invalidate') runtime.invalidate('by the sequence');
    else await runtime.settled();
    if (call === undefined) continue;
    tally.calls++;
    await expectValues(call);
    if (keep) held.push(call);
    else call.result[Symbol.dispose]();
    if (!keep) await expectBudgetHeld(runtime);
    // Earlier results are either ended or still what they were.
    for (const earlier of held) if (!earlier.tensor.disposed) await expectValues(earlier);
  }
  await runtime.settled();
  const { replays, evictions, buckets } = runtime.statistics();
  tally.replays += replays;
  tally.evictions += evictions;
  tally.failures += runtime.events.list('capture-failed').length;
  tally.recaptures += buckets.filter(({ captures }) => captures > 1).length;
  for (const { result } of held) result[Symbol.dispose]();
  weight.dispose();
}

/** Registers the test for a device. */
export function checkRandomSequences(device: string, count: number): void {
  test(`${count} random sequences never see stale or padded rows, and leave nothing behind`, async () => {
    const before = leakReport().length;
    const bytes = measureBytes(device);
    const tally: Tally = { calls: 0, replays: 0, evictions: 0, failures: 0, recaptures: 0 };
    const property = fc.asyncProperty(sequence, (played) => playSequence(device, bytes, played, tally));
    await fc.assert(property, { seed: 2026, numRuns: count });
    expect(leakReport().length).toBe(before);
    console.log(`${device}: ${JSON.stringify(tally)}`);
    for (const times of Object.values(tally)) expect(times).toBeGreaterThan(count / 20);
  }, 900_000);
}
