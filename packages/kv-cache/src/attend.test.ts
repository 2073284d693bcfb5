// A decode step by attend gives what append and attention give one after the other.

import { compareValues } from '@limen/tensor/testing';
import { describe, expect, it } from 'vitest';

import { runStep, type StepShape } from './testing/decode-steps.js';

const setting = { device: 'cpu', lengths: [37, 1, 16, 18], layers: 2 };

describe('a decode step', () => {
  const shapes: StepShape[] = [
    { heads: 2, keyValueHeads: 2, headSize: 16, dtype: 'f32', layout: 'HND' },
    { heads: 4, keyValueHeads: 1, headSize: 16, dtype: 'f32', layout: 'NHD' },
    { heads: 4, keyValueHeads: 2, headSize: 16, dtype: 'int4', layout: 'HND' },
  ];
  for (const shape of shapes) {
    it(`by attend equals append and attention: ${shape.dtype}, ${shape.layout}`, async () => {
      const separate = await runStep(shape, { ...setting, fused: false });
      const fused = await runStep(shape, { ...setting, fused: true });
      expect(fused.stored).toEqual(separate.stored);
      // Queries are not rounded between rotation and attention on the CPU.
      expect(compareValues(fused.attended, separate.attended, 2e-2)).toMatchObject({ passed: true });
    });
  }
});
