import { expect, test } from 'vitest';
import { checkStructure } from './check-structure.mjs';
import { plantRepository } from './lib/planted-repository.js';

interface Violation {
  claim: string;
  planted: Record<string, string | null>;
  expected: RegExp;
}

test('accepts a repository that has every file it should', () => {
  using repository = plantRepository();
  expect(checkStructure(repository.root)).toEqual([]);
});

test.each<Violation>([
  {
    claim: 'asks for a README in every package',
    planted: { 'packages/tensor/README.md': null },
    expected: /packages\/tensor: README\.md is missing/,
  },
  {
    claim: 'asks for the public index of a package',
    planted: { 'packages/graph-runtime/src/index.ts': null },
    expected: /packages\/graph-runtime: src\/index\.ts is missing/,
  },
  {
    claim: 'asks for the cases of an op',
    planted: { 'packages/tensor/src/ops/rms-norm.cases.ts': null },
    expected: /rms-norm\.ts: no rms-norm\.cases\.ts/,
  },
  {
    claim: 'asks for the kernel of an op',
    planted: { 'packages/tensor/src/ops/gelu.ts': "export const gelu = defineOp({\n  kernel: 'gelu',\n});\n" },
    expected: /gelu\.ts: no packages\/cuda-kernels\/native\/kernels\/gelu\.cu/,
  },
  {
    claim: 'refuses a kernel name that differs from the file name',
    planted: {
      'packages/tensor/src/ops/rms-norm.ts': "export const r = defineOp({\n  kernel: 'rms_norm_fast',\n});\n",
    },
    expected: /kernel is 'rms_norm_fast'; the file name asks for 'rms_norm'/,
  },
  {
    claim: 'refuses cases without an op',
    planted: { 'packages/tensor/src/ops/lost.cases.ts': 'export default 1;\n' },
    expected: /lost\.cases\.ts: no op lost\.ts/,
  },
  {
    claim: 'refuses a CUDA kernel that no op names',
    planted: { 'packages/cuda-kernels/native/kernels/orphan_op.cu': '\n' },
    expected: /orphan_op\.cu: no op file orphan-op\.ts/,
  },
  {
    claim: 'refuses a CPU kernel that no op names',
    planted: { 'packages/cuda-kernels/native/cpu/orphan_op.cc': 'REGISTER_CPU_OP(orphan_op, run);\n' },
    expected: /orphan_op\.cc: no op file orphan-op\.ts/,
  },
  {
    claim: 'refuses a main page that names a file which does not exist',
    planted: { 'README.md': 'Look at `no-such-file.ts`.\n' },
    expected: /README\.md: names no-such-file\.ts/,
  },
  {
    claim: 'refuses a dead link in a guide',
    planted: { 'docs/guides/add-an-op.md': 'See [the other](gone.md).\n' },
    expected: /add-an-op\.md: links to gone\.md/,
  },
  {
    claim: 'refuses an environment variable that the page does not list',
    planted: {
      'docs/env-vars.md': '\n',
      'packages/tensor/src/mode.ts': 'export const mode = process.env.LIMEN_MODE;\n',
    },
    expected: /mode\.ts: reads LIMEN_MODE/,
  },
  {
    claim: 'refuses an environment variable that native code reads and the page does not list',
    planted: { 'docs/env-vars.md': '\n', 'packages/cuda-kernels/native/core/mode.cc': 'getenv("LIMEN_MODE");\n' },
    expected: /mode\.cc: reads LIMEN_MODE/,
  },
  {
    claim: 'refuses a listed environment variable that nothing reads',
    planted: { 'docs/env-vars.md': '`LIMEN_GONE`\n' },
    expected: /lists LIMEN_GONE, which nothing reads/,
  },
  {
    claim: 'refuses a long example',
    planted: { 'examples/02-long.ts': 'console.log(1);\n'.repeat(41) },
    expected: /02-long\.ts: 41 lines/,
  },
  {
    claim: 'refuses the path of one machine',
    planted: { 'packages/tensor/src/where.ts': `export const where = '${['', 'home', 'ada', 'model'].join('/')}';\n` },
    expected: /where\.ts: holds the path of one machine/,
  },
  {
    claim: 'refuses a lockfile that names a registry',
    planted: { 'pnpm-lock.yaml': "resolution: {tarball: 'https://registry.example/x.tgz'}\n" },
    expected: /pnpm-lock\.yaml: names a registry host/,
  },
  {
    claim: 'refuses more than 28 MiB',
    planted: { 'fixtures/large.bin': 'x'.repeat(28 * 1024 * 1024 + 1) },
    expected: /28\.0 MiB of tracked files/,
  },
  {
    claim: 'refuses a drawer of a file',
    planted: { 'packages/tensor/src/utils.ts': '\n' },
    expected: /utils\.ts: name it after what it holds/,
  },
])('$claim', ({ planted, expected }) => {
  using repository = plantRepository(planted);
  expect(checkStructure(repository.root)).toEqual(expect.arrayContaining([expect.stringMatching(expected)]));
});
