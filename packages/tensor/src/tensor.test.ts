import { LimenError } from '@limen/cuda-kernels';
import { describe, expect, test } from 'vitest';

import { empty, fromArray, fromBytes, wrapBytes, zeros } from './create.js';
import { copy } from './ops/copy.js';
import { rmsNorm } from './ops/rms-norm.js';
import { Scope, scoped } from './scope.js';
import { leakReport, trackLeaks } from './storage.js';
import { contiguous, read, toDevice, write } from './transfer.js';

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'nothing was thrown';
  } catch (error) {
    return LimenError.isInstance(error) ? error.code : String(error);
  }
}

const count = (length: number) => Array.from({ length }, (_, index) => index);

describe('views', () => {
  test('share memory and copy nothing', async () => {
    using x = fromArray(count(24), [2, 3, 4]);
    using column = x.slice(-1, 1, 3);
    using swapped = column.transpose(0, 1);
    expect(swapped.shape).toEqual([3, 2, 2]);
    expect(swapped.storage).toBe(x.storage);
    expect([...(await read(swapped))]).toEqual([1, 2, 13, 14, 5, 6, 17, 18, 9, 10, 21, 22]);
  });

  test('unflatten splits an axis of a strided tensor', async () => {
    using x = fromArray(count(12), [2, 6]);
    using part = x.slice(-1, 2, 6);
    using heads = part.unflatten(-1, 2, 2);
    expect(heads.shape).toEqual([2, 2, 2]);
    expect([...(await read(heads))]).toEqual([2, 3, 4, 5, 8, 9, 10, 11]);
  });

  test('viewAs gives the same bytes another type', async () => {
    using x = fromArray([1, -2, 0.5, 4], [2, 2], { dtype: 'f32' });
    using words = x.viewAs('i32');
    expect([words.shape, [...(await read(words))]]).toEqual([
      [2, 2],
      [0x3f800000, 0xc0000000 | 0, 0x3f000000, 0x40800000],
    ]);
    using bytes = x.viewAs('u8');
    expect(bytes.shape).toEqual([2, 8]);
    using back = bytes.viewAs('f32');
    expect([...(await read(back))]).toEqual([1, -2, 0.5, 4]);
  });

  test('viewAs follows strides and offsets, and refuses what has no whole elements', async () => {
    using x = fromArray(count(12), [3, 4], { dtype: 'i8' });
    using column = x.slice(1, 2, 4);
    using pairs = column.viewAs('f16');
    expect([pairs.shape, pairs.strides, pairs.offset]).toEqual([[3, 1], [2, 1], 1]);
    using bytes = pairs.viewAs('u8');
    expect([...(await read(bytes))]).toEqual([2, 3, 6, 7, 10, 11]);
    using odd = x.slice(1, 1, 3);
    expect(codeOf(() => odd.viewAs('f16'))).toBe('LAYOUT');
    using turned = x.transpose(0, 1);
    expect(codeOf(() => turned.viewAs('u8'))).toBe('nothing was thrown');
    using square = zeros([4, 4], { dtype: 'i8' });
    using turnedSquare = square.transpose(0, 1);
    expect(codeOf(() => turnedSquare.viewAs('i32'))).toBe('LAYOUT');
    using narrow = x.slice(1, 0, 3);
    expect(codeOf(() => narrow.viewAs('i32'))).toBe('SHAPE_MISMATCH');
    expect(codeOf(() => zeros([]).viewAs('u8'))).toBe('SHAPE_MISMATCH');
  });

  test('reshape works one size out, and refuses gaps and wrong products', () => {
    using x = fromArray(count(24), [4, 6]);
    using reshaped = x.reshape(2, -1);
    expect(reshaped.shape).toEqual([2, 12]);
    using gaps = x.slice(1, 0, 3);
    expect(codeOf(() => gaps.reshape(12))).toBe('LAYOUT');
    expect(codeOf(() => x.reshape(5, -1))).toBe('SHAPE_MISMATCH');
  });

  test.each([
    ['a slice beyond the axis', () => zeros([2, 3]).slice(1, 1, 4)],
    ['a slice that ends before it starts', () => zeros([2, 3]).slice(0, 2, 1)],
    ['an axis that is not there', () => zeros([2, 3]).transpose(0, 2)],
    ['squeezing an axis that is not one', () => zeros([2, 3]).squeeze(0)],
    ['unflattening into a wrong product', () => zeros([2, 3]).unflatten(1, 2, 2)],
  ])('refuse %s', (_title, action) => {
    expect(codeOf(action)).toBe('SHAPE_MISMATCH');
  });

  test('a contiguous copy of a strided view has the view’s elements', async () => {
    using x = fromArray(count(6), [2, 3], { dtype: 'bf16' });
    using turned = x.transpose(0, 1);
    using dense = contiguous(turned);
    expect(dense.isContiguous).toBe(true);
    expect([...(await read(dense))]).toEqual([0, 3, 1, 4, 2, 5]);
  });

  test('slices of one tensor take the parts of a concatenation', async () => {
    using joined = empty([2, 5], { dtype: 'i32' });
    for (const [start, values] of [
      [0, [1, 2, 3, 4]],
      [2, [5, 6, 7, 8, 9, 10]],
    ] as const) {
      using part = fromArray(values, [2, values.length / 2], { dtype: 'i32' });
      using place = joined.slice(1, start, start + values.length / 2);
      copy({ x: part }, { out: place });
    }
    expect([...(await read(joined))]).toEqual([1, 2, 5, 6, 7, 3, 4, 8, 9, 10]);
  });
});

describe('ownership', () => {
  test('memory lives as long as any view of it', async () => {
    const before = leakReport().length;
    const x = fromArray([1, 2, 3], [3]);
    const view = x.slice(0, 1);
    x.dispose();
    expect([...(await read(view))]).toEqual([2, 3]);
    view.dispose();
    expect(leakReport().length).toBe(before);
  });

  test('disposing twice is fine, using a disposed tensor is not', () => {
    const x = zeros([2]);
    x.dispose();
    x.dispose();
    expect(codeOf(() => x.storage)).toBe('DISPOSED');
    expect(codeOf(() => rmsNorm({ x, weight: x }))).toBe('DISPOSED');
    expect(codeOf(() => x.slice(0, 0))).toBe('DISPOSED');
  });

  test('the leak report names the place of creation when asked to', () => {
    trackLeaks(true);
    const x = zeros([7]);
    trackLeaks(false);
    expect(leakReport().find(({ byteLength }) => byteLength === 28)?.createdAt).toContain('tensor.test.ts');
    x.dispose();
  });

  test('a scope disposes what it owns, in reverse, except what was released', () => {
    const order: number[] = [];
    const member = (id: number) => ({ [Symbol.dispose]: () => void order.push(id) });
    const kept = member(9);
    {
      using scope = new Scope();
      scope.own(member(1));
      scope.own(kept);
      scope.own(member(2));
      scope.release(kept);
    }
    expect(order).toEqual([2, 1]);
  });

  test('scoped returns its tensor alive and drops the rest', () => {
    const before = leakReport().length;
    using result = scoped((scope) => {
      scope.own(zeros([2]));
      return scope.own(zeros([3]));
    });
    expect(result.disposed).toBe(false);
    expect(leakReport().length).toBe(before + 1);
  });
});

describe('making and moving', () => {
  test('values are rounded to the type', async () => {
    using x = fromArray([1 + 2 ** -9, 300, -1e-8], [3], { dtype: 'bf16' });
    expect([...(await read(x))]).toEqual([1, 300, Math.fround(-1.0011717677116394e-8)]);
  });

  test('write replaces the contents', async () => {
    using x = zeros([3], { dtype: 'i32' });
    write(x, [4, 5, 6]);
    expect([...(await read(x))]).toEqual([4, 5, 6]);
    expect(codeOf(() => write(x, [1]))).toBe('SHAPE_MISMATCH');
  });

  test('wrapped bytes are not copied', async () => {
    const bytes = new Uint8Array(Float32Array.of(1, 2).buffer);
    using x = wrapBytes(bytes, [2], 'f32');
    new Float32Array(bytes.buffer)[1] = 5;
    expect([...(await read(x))]).toEqual([1, 5]);
  });

  test.each([
    ['too few values', () => fromArray([1], [2]), 'SHAPE_MISMATCH'],
    ['a negative size', () => empty([-1]), 'SHAPE_MISMATCH'],
    ['bytes that do not fill the shape', () => fromBytes(new Uint8Array(3), [1]), 'SHAPE_MISMATCH'],
    ['bytes at an odd address', () => wrapBytes(new Uint8Array(9).subarray(1), [2], 'f32'), 'SHAPE_MISMATCH'],
    ['an unknown type', () => empty([1], { dtype: 'f64' as never }), 'UNSUPPORTED_DTYPE'],
    ['an unknown device', () => empty([1], { device: 'tpu' }), 'UNKNOWN_DEVICE'],
    ['a device that no machine has', () => empty([1], { device: 'cuda:99' }), 'DEVICE_NOT_AVAILABLE'],
    [
      'an unknown option',
      () => rmsNorm({ x: zeros([1]), weight: zeros([1]) }, { epsilon: 1 } as never),
      'INVALID_ARGUMENT',
    ],
    [
      'an option of the wrong kind',
      () => rmsNorm({ x: zeros([1]), weight: zeros([1]) }, { eps: '1' } as never),
      'INVALID_ARGUMENT',
    ],
    ['an argument that is missing', () => rmsNorm({ x: zeros([1]) } as never), 'SHAPE_MISMATCH'],
    [
      'an out of the wrong shape',
      () => rmsNorm({ x: zeros([2]), weight: zeros([2]) }, { out: zeros([3]) }),
      'SHAPE_MISMATCH',
    ],
  ])('refuses %s', (_title, action, code) => {
    expect(codeOf(action)).toBe(code);
  });

  test('an error names the op, the argument, what was expected and what came', () => {
    using x = zeros([2, 17, 8]);
    using weight = zeros([7]);
    expect(() => rmsNorm({ x, weight })).toThrow(
      'rmsNorm: weight has the wrong shape: expected [C] = [8], got [7]. Pass one that fits, or reshape() it.\n  x       f32[2, 17, 8] cpu\n  weight  f32[7] cpu',
    );
  });

  test('a tensor that is where it should be is not copied', async () => {
    using x = zeros([2]);
    using same = await toDevice(x, 'cpu');
    expect(same.storage).toBe(x.storage);
  });
});
