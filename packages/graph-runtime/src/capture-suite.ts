// What capture promises, as checks that run on any device. Shared by capture.test.ts and capture.gpu.test.ts.

import { affine, appendTokens, fromArray, LimenError, read, rmsNorm, type Tensor, zeros } from '@limen/tensor';

import { capture } from './capture.js';
import { CapturedStep } from './captured-step.js';
import { StaticInputs } from './static-inputs.js';

/** A named check; it throws or returns what differs, empty when all is well. */
export interface CaptureCheck {
  readonly name: string;
  run(device: string): Promise<unknown>;
  readonly expected: unknown;
}

function counter(device: string): { value: Tensor; history: Tensor; step: () => void } {
  const value = zeros([1], { dtype: 'i32', device });
  const history = fromArray(new Array<number>(8).fill(-1), [1, 8], { dtype: 'i32', device });
  const step = () => {
    appendTokens({ history, ids: value, counters: value });
    affine({ x: value }, { offset: 1, out: value });
  };
  return { value, history, step };
}

/** Checks of capture, static inputs, stateful steps and buckets. */
export const captureChecks: readonly CaptureCheck[] = [
  {
    name: 'a replay computes from what the static inputs hold now',
    expected: [1, 2, 4],
    async run(device) {
      using inputs = new StaticInputs(device, { x: { shape: [1] } });
      using graph = capture(device, () => {
        using twice = affine({ x: inputs.tensor('x') }, { scale: 2 });
        return affine({ x: twice }, { scale: 0.5 });
      });
      const seen: number[] = [];
      for (const value of [1, 2, 4]) {
        inputs.set('x', [value]);
        seen.push(...(await read(graph.replay())));
      }
      return seen;
    },
  },
  {
    name: 'capturing runs nothing: only replays have effects',
    expected: [0, 3],
    async run(device) {
      const { value, history, step } = counter(device);
      using _value = value;
      using _history = history;
      using graph = capture(device, step, { warmUps: 0 });
      const before = (await read(value))[0];
      for (let replay = 0; replay < 3; replay++) graph.replay();
      return [before, (await read(value))[0]];
    },
  },
  {
    name: 'a stateful step gives the same history eagerly and captured',
    expected: { history: [0, 1, 2, 3, 4, -1, -1, -1], state: 'captured', eagerRuns: 1, replays: 4 },
    async run(device) {
      const { value, history, step } = counter(device);
      using _value = value;
      using _history = history;
      using captured = new CapturedStep(device, step);
      for (let run = 0; run < 5; run++) captured.run();
      const { state, eagerRuns, replays } = captured.statistics;
      return { history: [...(await read(history))], state, eagerRuns, replays };
    },
  },
  {
    name: 'memory made inside the step is private to the graph',
    expected: 0,
    async run(device) {
      using x = fromArray([1, 2, 3, 4], [1, 4], { device });
      using weight = fromArray([1, 1, 1, 1], [4], { device });
      using graph = capture(device, () => rmsNorm({ x, weight }));
      const first = [...(await read(graph.replay()))];
      const others = Array.from({ length: 32 }, () => fromArray([9, 9, 9, 9], [1, 4], { device }));
      const second = [...(await read(graph.replay()))];
      for (const other of others) other.dispose();
      return first.filter((value, index) => value !== second[index]).length;
    },
  },
  {
    name: 'a step that copies from the host is refused and leaves the device usable',
    expected: ['CAPTURE_FAILED', [7]],
    async run(device) {
      let code = 'none';
      try {
        capture(device, () => fromArray([1], [1], { device }), { warmUps: 0 });
      } catch (error) {
        code = LimenError.isInstance(error) ? error.code : String(error);
      }
      using after = fromArray([7], [1], { device });
      return [code, [...(await read(after))]];
    },
  },
  {
    name: 'a step that cannot be captured goes on eagerly, with the reason',
    expected: { state: 'failed', failures: 3, eagerRuns: 5, reason: true },
    async run(device) {
      let value = 0;
      const step = () => void fromArray([++value], [1], { device }).dispose();
      using captured = new CapturedStep(device, step);
      for (let run = 0; run < 5; run++) captured.run();
      const { state, failures, eagerRuns, lastFailure = '' } = captured.statistics;
      return Promise.resolve({ state, failures, eagerRuns, reason: lastFailure.includes('copying from the host') });
    },
  },
];
