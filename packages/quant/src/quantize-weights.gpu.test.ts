// Quantising on a GPU finds the codes that the definition finds.

import { fromArray, leakReport, read } from '@limen/tensor';
import { compareValues, cudaUnavailable, SeededRandom } from '@limen/tensor/testing';
import { describe, expect, it } from 'vitest';

import { NotFiniteError } from './errors/not-finite-error.js';
import { quantizeWeights } from './quantize-weights.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

describe.skipIf(reason !== undefined)('quantizeWeights on a GPU', () => {
  it.each(['f32', 'f16', 'bf16'] as const)('agrees with the definition for weights of %s', async (dtype) => {
    const random = new SeededRandom(3);
    const [rows, columns] = [37, 1001];
    const numbers = Float32Array.from({ length: rows * columns }, () => random.normal());
    numbers.fill(0, 5 * columns, 6 * columns);
    using onCpu = fromArray(numbers, [rows, columns], { dtype });
    using onGpu = fromArray(numbers, [rows, columns], { dtype, device: 'cuda:0' });
    using expected = await quantizeWeights(onCpu);
    using quantized = await quantizeWeights(onGpu);
    expect(quantized.device).toBe('cuda:0');
    const scales = compareValues(await read(quantized.scales), await read(expected.scales), 1e-6);
    expect(scales.passed, scales.text).toBe(true);
    // The kernel may divide or multiply by the reciprocal: a code on the edge of two may fall either way.
    const [codes, wanted] = [await read(quantized.values), await read(expected.values)];
    const differences = [...wanted].map((code, index) => Math.abs(code - (codes[index] ?? NaN)));
    expect(Math.max(...differences)).toBeLessThanOrEqual(1);
    expect(differences.filter((difference) => difference > 0).length).toBeLessThan(rows * columns * 1e-3);
  });

  it.each([NaN, Infinity])('throws NotFiniteError with the row of %d, and leaks nothing', async (value) => {
    using weight = fromArray([1, 2, 3, value, 5, 6], [3, 2], { device: 'cuda:0' });
    const before = leakReport().length;
    await expect(quantizeWeights(weight)).rejects.toMatchObject({ code: 'NOT_FINITE', row: 1 });
    await expect(quantizeWeights(weight)).rejects.toThrowError(NotFiniteError);
    expect(leakReport()).toHaveLength(before);
  });
});
