import { fromArray, InvalidArgumentError, LimenError, ShapeMismatchError, zeros } from '@limen/tensor';
import { describe, expect, test } from 'vitest';

import { GraphRuntime } from './graph-runtime.js';
import { maskedSoftmax, ramp } from './testing/bucketed-examples.js';
import { checkBuckets } from './testing/graph-runtime-checks.js';
import { checkGraphStates } from './testing/graph-state-checks.js';

describe('a graph runtime on the CPU', () => {
  checkBuckets('cpu');
  checkGraphStates('cpu');
});

describe('a graph runtime refuses', () => {
  test('a budget of nothing', () => {
    expect(() => GraphRuntime.create({ device: 'cpu', byteBudget: 0 })).toThrowError(InvalidArgumentError);
  });

  test('an axis without sizes, and a shape with an axis that is not listed', () => {
    using runtime = GraphRuntime.create({ device: 'cpu' });
    expect(() => maskedSoftmax(runtime, [], [4])).toThrowError(InvalidArgumentError);
    const declare = () =>
      runtime.bucketed('f', {
        axes: { rows: [1] },
        inputs: { x: { shape: ['rows', 'columns' as 'rows'] } },
        outputs: {},
        step: () => ({}),
      });
    expect(declare).toThrow('f: axis columns is unknown: expected one of rows, got columns.');
  });

  test('inputs that are missing, unknown, of another type, or do not agree', () => {
    using runtime = GraphRuntime.create({ device: 'cpu' });
    const f = runtime.bucketed('f', {
      axes: { rows: [4] },
      inputs: { x: { shape: ['rows', 2] }, ids: { shape: ['rows'], dtype: 'i32' } },
      outputs: { y: ['rows', 2] },
      step: ({ x }) => ({ y: x }),
    });
    using x = zeros([3, 2]);
    using ids = zeros([3], { dtype: 'i32' });
    using other = zeros([2], { dtype: 'i32' });
    using wide = zeros([3, 3]);
    expect(() => f.run({ x } as never)).toThrow('f: input ids is missing: expected x, ids, got x.');
    expect(() => f.run({ x, ids, z: x } as never)).toThrow('f: input z is unknown');
    expect(() => f.run({ x, ids: other })).toThrowError(ShapeMismatchError);
    expect(() => f.run({ x: wide, ids })).toThrow(
      'f: input x does not fit: expected f32[rows, 2] with rows 3, got f32[3, 3]',
    );
    expect(() => f.run({ x, ids: x })).toThrowError(ShapeMismatchError);
    expect(() => f.run({ x: [1, 2, 3], ids })).toThrow('got 3 values');
    expect(() => f.run({ x: [1, 2, 3, 4], ids: [1, 2] }, { rows: 3 })).toThrowError(ShapeMismatchError);
    using result = f.run({ x: [1, 2, 3, 4], ids: [1, 2] });
    expect(result.outputs.y.shape).toEqual([2, 2]);
  });

  test('an axis that nothing gives a size', () => {
    using runtime = GraphRuntime.create({ device: 'cpu' });
    const f = maskedSoftmax(runtime, [2], [4]);
    expect(() => f.run({ x: ramp(4) })).toThrowError(LimenError);
    const g = runtime.bucketed('g', { axes: { rows: [2] }, inputs: {}, outputs: {}, step: () => ({}) });
    expect(() => g.run({})).toThrow('g: axis rows has no size');
  });

  test('outputs that are missing, unknown or of another shape, with the error of the eager run', () => {
    using runtime = GraphRuntime.create({ device: 'cpu' });
    const declare = (step: () => Record<string, unknown>) =>
      runtime.bucketed('f', { axes: { rows: [2] }, inputs: {}, outputs: { y: ['rows'] }, step: step as never });
    const message = (step: () => Record<string, unknown>) => () => declare(step).run({}, { rows: 2 });
    expect(message(() => ({}))).toThrow('f: output y does not fit: expected [2], declared as [rows], got no tensor.');
    expect(message(() => ({ y: zeros([3]) }))).toThrow('got [3].');
    expect(message(() => ({ y: zeros([2]), z: zeros([1]) }))).toThrow('f: output z is unknown: expected y, got z.');
  });

  test('calls after it was disposed', () => {
    const runtime = GraphRuntime.create({ device: 'cpu' });
    const f = maskedSoftmax(runtime, [1], [4]);
    runtime[Symbol.dispose]();
    expect(() => f.run({ x: ramp(4) })).toThrow('bucketed function softmax was called after it had been disposed');
    expect(() => maskedSoftmax(runtime, [1], [4])).toThrow('graph runtime was asked for a function after');
  });
});

test('what an eager run of the step throws reaches the caller', () => {
  using runtime = GraphRuntime.create({ device: 'cpu' });
  const f = maskedSoftmax(runtime, [1], [4], {
    inside: () => fromArray([1], [2]).dispose(),
  });
  expect(() => f.run({ x: ramp(4) }, { rows: 1 })).toThrowError(ShapeMismatchError);
});
