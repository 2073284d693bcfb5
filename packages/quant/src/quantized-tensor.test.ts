import { DisposedError, empty, fromArray, read, ShapeMismatchError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { QuantizedTensor } from './quantized-tensor.js';
import { int8Channel, type QuantizationScheme } from './scheme.js';

const codes = (shape: number[]) => empty(shape, { dtype: 'i8' });

describe('QuantizedTensor', () => {
  it('knows its size and describes itself', () => {
    using quantized = new QuantizedTensor({
      scheme: int8Channel,
      shape: [2, 8],
      values: codes([2, 8]),
      scales: empty([2]),
    });
    expect(quantized).toMatchObject({ byteLength: 24, bitsPerWeight: 12, device: 'cpu', disposed: false });
    expect(String(quantized)).toBe('QuantizedTensor(int8-channel[2, 8] cpu)');
  });

  it('disposes both of its tensors', async () => {
    const [values, scales] = [codes([1, 1]), fromArray([1], [1])];
    const quantized = new QuantizedTensor({ scheme: int8Channel, shape: [1, 1], values, scales });
    quantized.dispose();
    quantized.dispose();
    expect([values.disposed, scales.disposed, quantized.disposed]).toEqual([true, true, true]);
    await expect(read(quantized.scales)).rejects.toThrowError(DisposedError);
  });

  it('holds packed codes of a scheme with groups', () => {
    const scheme: QuantizationScheme = { ...int8Channel, name: 'int4', bitsPerCode: 4, groupSize: 4, storage: 'u8' };
    using values = empty([2, 4], { dtype: 'u8' });
    using scales = empty([2, 2]);
    expect(new QuantizedTensor({ scheme, shape: [2, 8], values, scales }).bitsPerWeight).toBe(12);
  });

  it('refuses parts that the scheme does not prescribe', () => {
    using values = codes([2, 8]);
    using scales = empty([2]);
    const make = (parts: object) => () =>
      new QuantizedTensor({ scheme: int8Channel, shape: [2, 8], values, scales, ...parts });
    expect(make({ shape: [2, 9] })).toThrowError(
      'values does not fit the scheme int8-channel: expected i8[2, 9], got i8[2, 8] cpu',
    );
    using wide = empty([2, 1]);
    using narrow = empty([2], { dtype: 'f16' });
    using unsigned = empty([2, 8], { dtype: 'u8' });
    for (const parts of [{ scales: wide }, { scales: narrow }, { values: unsigned }]) {
      expect(make(parts)).toThrowError(ShapeMismatchError);
    }
    expect(values.disposed).toBe(false);
  });
});
