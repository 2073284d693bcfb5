import { expect, test } from 'vitest';
import { checkSizes, lineLimits, measureSizes } from './check-sizes.mjs';
import { plantRepository } from './lib/planted-repository.js';

test.each([
  ['packages/tensor/src/long.ts', lineLimits.TypeScript],
  ['packages/tensor/src/long.test.ts', lineLimits.tests],
  ['packages/cuda-kernels/native/kernels/long.cu', lineLimits.native],
  ['packages/cuda-kernels/native/device/long.cuh', lineLimits.native],
  ['packages/cuda-kernels/native/cpu/long.cc', lineLimits.native],
  ['tools/long.mjs', lineLimits.TypeScript],
])('accepts %s at its limit and refuses one line more', (file, limit) => {
  using within = plantRepository({ [file]: '//\n'.repeat(limit) });
  expect(checkSizes(within.root)).toEqual([]);
  using beyond = plantRepository({ [file]: '//\n'.repeat(limit + 1) });
  expect(checkSizes(beyond.root)).toEqual([expect.stringContaining(`${file}: ${limit + 1} lines`)]);
});

test('groups files by package and kind, ascending by lines', () => {
  using repository = plantRepository({ 'packages/tensor/src/four.ts': '//\n'.repeat(4) });
  const group = measureSizes(repository.root).find(
    ({ owner, kind }) => owner === 'packages/tensor' && kind === 'TypeScript',
  );
  expect(group?.files.at(-1)).toEqual({ file: 'packages/tensor/src/four.ts', lines: 4 });
  expect(group?.files.map(({ lines }) => lines)).toEqual([1, 1, 2, 3, 4]);
});
