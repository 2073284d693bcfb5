// A decode step in one launch gives what append and attention give one after the other, bit for bit where it stores.

import { compareValues, cudaUnavailable } from '@limen/tensor/testing';
import { describe, expect, it } from 'vitest';

import { runStep, type StepShape } from './testing/decode-steps.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

const setting = { device: 'cuda:0', lengths: [611, 1, 64, 33], layers: 6 };

describe.skipIf(reason !== undefined)('a decode step in one launch', () => {
  const shapes: StepShape[] = (['bf16', 'f16', 'fp8', 'int8', 'int4'] as const).flatMap((dtype) => [
    { heads: 4, keyValueHeads: 4, headSize: 128, dtype, layout: 'HND' },
    { heads: 32, keyValueHeads: 2, headSize: 128, dtype, layout: 'HND' },
    { heads: 16, keyValueHeads: 4, headSize: 64, dtype, layout: 'NHD' },
  ]);
  for (const shape of shapes) {
    const { heads, keyValueHeads, headSize, dtype, layout } = shape;
    it(`equals append and attention: ${dtype}, ${heads} over ${keyValueHeads} × ${headSize}, ${layout}`, async () => {
      const separate = await runStep(shape, { ...setting, fused: false });
      const fused = await runStep(shape, { ...setting, fused: true });
      expect(fused.stored).toEqual(separate.stored);
      expect(compareValues(fused.attended, separate.attended, 2e-2)).toMatchObject({ passed: true });
    });
  }
});
