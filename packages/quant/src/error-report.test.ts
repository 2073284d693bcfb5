import { ShapeMismatchError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { ErrorReport, measureError } from './error-report.js';

describe('measureError', () => {
  it('measures a known pair', () => {
    const measures = measureError([3, 4, 0], [3, 3, 0]);
    expect(measures).toMatchObject({ elements: 3, maxAbsolute: 1, meanAbsolute: 1 / 3, rootMeanSquareRelative: 0.2 });
    expect(measures.cosine).toBeCloseTo(21 / (5 * Math.sqrt(18)), 12);
    expect(measures.signalToNoiseDecibels).toBeCloseTo(20 * Math.log10(5), 12);
  });

  it('finds no error between equal tensors', () => {
    expect(measureError([1, -2], [1, -2])).toMatchObject({
      maxAbsolute: 0,
      rootMeanSquareRelative: 0,
      cosine: 1,
      signalToNoiseDecibels: Infinity,
    });
  });

  it('stays defined for zero and empty tensors', () => {
    expect(measureError([0, 0], [0, 0])).toMatchObject({ rootMeanSquareRelative: 0, cosine: 1 });
    expect(measureError([0], [1])).toMatchObject({
      rootMeanSquareRelative: Infinity,
      cosine: 0,
      signalToNoiseDecibels: -Infinity,
    });
    expect(measureError([], [])).toMatchObject({ elements: 0, meanAbsolute: 0, cosine: 1 });
  });

  it('lets a NaN show in every measure', () => {
    const measures = measureError([1, NaN, 1], [1, 1, 1]);
    expect(measures.maxAbsolute).toBeNaN();
    expect(measures.meanAbsolute).toBeNaN();
    expect(measures.rootMeanSquareRelative).toBeNaN();
    expect(measures.cosine).toBeNaN();
  });

  it('throws ShapeMismatchError when the lengths differ', () => {
    expect(() => measureError([1], [1, 2])).toThrowError(ShapeMismatchError);
  });
});

describe('ErrorReport', () => {
  const report = new ErrorReport();
  report.add('layers.0.down', 'int8-channel', measureError([3, 4, 0], [3, 3, 0]));
  report.add('head', 'int8-channel', measureError([1, 2], [1, 2]));

  it('names the tensor with the largest relative error', () => {
    expect(report.worst?.name).toBe('layers.0.down');
    expect(new ErrorReport().worst).toBeUndefined();
  });

  it('prints an aligned table', () => {
    expect(report.toTable().split('\n')).toEqual([
      'tensor         scheme        max abs  mean abs  rms rel    cosine    SNR dB',
      'layers.0.down  int8-channel  1.00e+0   3.33e-1  2.00e-1  0.989949      14.0',
      'head           int8-channel  0.00e+0   0.00e+0  0.00e+0  1.000000  Infinity',
      'worst: layers.0.down, rms rel 2.00e-1',
    ]);
  });

  it('survives a round trip through JSON, with null for an infinite ratio', () => {
    const parsed: unknown = JSON.parse(JSON.stringify(report));
    expect(parsed).toEqual(report.toJSON());
    expect(parsed).toMatchObject({
      tensors: [{ name: 'layers.0.down', maxAbsolute: 1 }, { signalToNoiseDecibels: null }],
    });
  });
});
