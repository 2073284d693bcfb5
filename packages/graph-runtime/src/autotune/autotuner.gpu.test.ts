import { add, affine, multiply, zeros } from '@limen/tensor';
import { cudaUnavailable } from '@limen/tensor/testing';
import { expect, test } from 'vitest';

import { Autotuner } from './autotuner.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);
const device = 'cuda:0';

test.skipIf(reason !== undefined)('a variant of one kernel beats one of thirty-two, on this GPU', async () => {
  using x = zeros([1024, 1024], { device });
  const tuner = new Autotuner({ device });
  const { choice, milliseconds } = await tuner.variant('double', {
    many: () => {
      let sum = add({ a: x, b: x });
      for (let times = 0; times < 31; times++) sum = multiply({ a: sum, b: sum }, { out: sum });
      return sum;
    },
    one: () => affine({ x }, { scale: 2 }),
  });
  expect([choice, tuner.machine.device]).toEqual(['one', expect.stringMatching(/\w/)]);
  expect(milliseconds['one']).toBeGreaterThan(0);
});

test.skipIf(reason !== undefined)('sizes that cost the same need one bucket, on this GPU', async () => {
  const tuner = new Autotuner({ device });
  const build = (size: number) => {
    const x = zeros([size], { device });
    return { step: () => void affine({ x }, { offset: 1, out: x }), [Symbol.dispose]: () => x.dispose() };
  };
  const { choice } = await tuner.buckets('rows', [1, 2, 4, 2 ** 24], build, { demand: (size) => (size <= 4 ? 1 : 0) });
  expect(choice.at(-1)).toBe(2 ** 24);
  expect(choice.length).toBeGreaterThanOrEqual(2);
});
