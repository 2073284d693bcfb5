import { empty, fromArray, leakReport, read, ShapeMismatchError, UnsupportedDTypeError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { NotFiniteError } from './errors/not-finite-error.js';
import { UnknownSchemeError } from './errors/unknown-scheme-error.js';
import { dequantizeWeights, quantizationError, quantizeWeights } from './quantize-weights.js';
import { QuantizedTensor } from './quantized-tensor.js';
import { int8Channel } from './scheme.js';

const weights = [127, -63.5, 0, 2, 0, 0, 0, 0, -254, 1, 3, 254];

describe('quantizeWeights', () => {
  it('makes codes and scales beside the weight', async () => {
    using weight = fromArray(weights, [3, 4]);
    using quantized = await quantizeWeights(weight);
    expect(quantized).toMatchObject({ scheme: int8Channel, shape: [3, 4], device: 'cpu' });
    expect([...(await read(quantized.values))]).toEqual([127, -64, 0, 2, 0, 0, 0, 0, -127, 0, 2, 127]);
    expect([...(await read(quantized.scales))]).toEqual([1, 0, 2]);
    expect(weight.disposed).toBe(false);
  });

  it.each(['f16', 'bf16'] as const)('takes weights of %s', async (dtype) => {
    using weight = fromArray([1, 0.5, -0.25, 0], [2, 2], { dtype });
    using quantized = await quantizeWeights(weight, { scheme: 'int8-channel' });
    expect([...(await read(quantized.values))]).toEqual([127, 64, -127, 0]);
  });

  it('takes a strided view', async () => {
    using weight = fromArray([1, 9, 2, 9, 4, 9], [3, 2]);
    using column = weight.slice(1, 0, 1);
    using quantized = await quantizeWeights(column);
    expect([...(await read(quantized.values))]).toEqual([127, 127, 127]);
  });

  it('refuses what it cannot quantise, and leaks nothing', async () => {
    using cube = empty([2, 2, 2]);
    using whole = empty([2, 2], { dtype: 'i32' });
    using broken = fromArray([1, 2, NaN, 4], [2, 2]);
    const before = leakReport().length;
    await expect(quantizeWeights(cube)).rejects.toThrowError(ShapeMismatchError);
    await expect(quantizeWeights(whole)).rejects.toThrowError(UnsupportedDTypeError);
    await expect(quantizeWeights(broken)).rejects.toThrowError(NotFiniteError);
    const scheme = JSON.parse('"int9"') as 'int8-channel';
    await expect(quantizeWeights(broken, { scheme })).rejects.toThrowError(UnknownSchemeError);
    expect(leakReport()).toHaveLength(before);
  });
});

describe('dequantizeWeights', () => {
  it('restores the codes times their scales', async () => {
    using weight = fromArray(weights, [3, 4]);
    using quantized = await quantizeWeights(weight);
    using restored = await dequantizeWeights(quantized);
    expect(restored).toMatchObject({ dtype: 'f32', shape: [3, 4] });
    expect([...(await read(restored))]).toEqual([127, -64, 0, 2, 0, 0, 0, 0, -254, 0, 4, 254]);
    using half = await dequantizeWeights(quantized, { dtype: 'bf16' });
    expect(half.dtype).toBe('bf16');
  });

  it('refuses a scheme of somebody else', async () => {
    const scheme = { ...int8Channel, name: 'mine' };
    using values = empty([1, 1], { dtype: 'i8' });
    using scales = empty([1]);
    const foreign = new QuantizedTensor({ scheme, shape: [1, 1], values, scales });
    await expect(dequantizeWeights(foreign)).rejects.toThrowError('dequantizeWeights: scheme is unknown');
  });
});

describe('quantizationError', () => {
  it('measures the original against the restored matrix', async () => {
    using weight = fromArray(weights, [3, 4]);
    using quantized = await quantizeWeights(weight);
    expect(await quantizationError(weight, quantized)).toMatchObject({
      elements: 12,
      maxAbsolute: 1,
      meanAbsolute: 2.5 / 12,
    });
  });
});
