// The benchmark of captures runs on a CPU with the tiny model, and names what it measures.

import { leakReport } from '@limen/tensor';
import { expect, test } from 'vitest';

import { benchCapture } from './capture.js';

test('all buckets are captured into shared memory and replayed, and nothing is left behind', async () => {
  const before = leakReport().length;
  const machine = { device: 'cpu', size: 'small', runs: 2 } as const;
  const model = { model: 'janus-pro-7b', dtype: 'f32', quantization: 'none' } as const;
  const one = await benchCapture({ ...machine, ...model, batches: [4] });
  const measured = await benchCapture({ ...machine, ...model, batches: [1, 2, 4] });
  expect(measured.map(({ id, unit }) => `${id} ${unit}`)).toEqual([
    'capture/janus-tiny/f32/time ms',
    'capture/janus-tiny/f32/bytes MB',
    'capture/janus-tiny/f32/warm-up ms',
  ]);
  const [time, bytes] = measured;
  expect([time?.median, bytes?.median].every((figure) => (figure ?? 0) > 0)).toBe(true);
  // The smaller batches fit into what the largest works in.
  expect(bytes?.median).toBeLessThan(1.5 * (one[1]?.median ?? 0));
  expect(leakReport().length).toBe(before);
});
