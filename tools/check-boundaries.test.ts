import { expect, test } from 'vitest';
import { checkBoundaries } from './check-boundaries.mjs';
import { plantRepository } from './lib/planted-repository.js';

interface Violation {
  claim: string;
  planted: Record<string, string | null>;
  expected: RegExp;
}

test('accepts a repository that follows the table', () => {
  using repository = plantRepository();
  expect(checkBoundaries(repository.root)).toEqual([]);
});

test.each<Violation>([
  {
    claim: 'refuses an edge that is not in the table',
    planted: { 'packages/tensor/src/up.ts': "import { capture } from '@limen/graph-runtime';\nexport { capture };\n" },
    expected: /tensor may not import @limen\/graph-runtime/,
  },
  {
    claim: 'refuses a model that imports the graph runtime, even for a type',
    planted: { 'packages/models-janus/src/step.ts': "import type { Graph } from '@limen/graph-runtime';\n" },
    expected: /models-janus may not import @limen\/graph-runtime/,
  },
  {
    claim: 'refuses an edge through a dynamic import',
    planted: { 'packages/tensor/src/late.ts': "export const late = import('@limen/models-janus');\n" },
    expected: /tensor may not import @limen\/models-janus/,
  },
  {
    claim: 'refuses a deep import',
    planted: {
      'packages/models-janus/src/deep.ts': "import { x } from '@limen/tensor/src/shape.js';\nexport { x };\n",
    },
    expected: /deep import @limen\/tensor\/src\/shape\.js/,
  },
  {
    claim: 'refuses a deep import from an example',
    planted: { 'examples/02-deep.ts': "import '@limen/tensor/dist/index.js';\n" },
    expected: /examples\/02-deep\.ts: deep import/,
  },
  {
    claim: 'refuses a relative path into another package',
    planted: { 'packages/models-janus/src/reach.ts': "export { tensor } from '../../tensor/src/index.js';\n" },
    expected: /reaches into packages\/tensor/,
  },
  {
    claim: 'refuses a package that imports itself by name',
    planted: { 'packages/tensor/src/self.ts': "export { tensor } from '@limen/tensor';\n" },
    expected: /imports its own package/,
  },
  {
    claim: 'refuses a cycle between files, also of types',
    planted: {
      'packages/tensor/src/a.ts': "import type { B } from './b.js';\nexport type A = B | 1;\n",
      'packages/tensor/src/b.ts': "import type { A } from './a.js';\nexport type B = A | 2;\n",
    },
    expected:
      /import cycle: packages\/tensor\/src\/a\.ts → packages\/tensor\/src\/b\.ts → packages\/tensor\/src\/a\.ts/,
  },
  {
    claim: 'refuses Node headers in a kernel',
    planted: { 'packages/cuda-kernels/native/kernels/rms_norm.cu': '#include <napi.h>\n' },
    expected: /rms_norm\.cu: includes napi\.h/,
  },
  {
    claim: 'refuses the binding in device code',
    planted: { 'packages/cuda-kernels/native/device/reduce.cuh': '  #include "napi/op_binding.h"\n' },
    expected: /reduce\.cuh: includes napi\/op_binding\.h/,
  },
  {
    claim: 'refuses a dependency that the table does not allow',
    planted: {
      'packages/cuda-kernels/package.json': '{ "exports": {}, "dependencies": { "@limen/tensor": "workspace:^" } }',
    },
    expected: /cuda-kernels may not depend on @limen\/tensor/,
  },
])('$claim', ({ planted, expected }) => {
  using repository = plantRepository(planted);
  expect(checkBoundaries(repository.root)).toEqual(expect.arrayContaining([expect.stringMatching(expected)]));
});
