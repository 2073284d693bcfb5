// A throw-away repository for the tests of the structure checks: one lawful package and op, plus whatever a test plants.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const lawfulFiles: Record<string, string> = {
  'packages/cuda-kernels/package.json': manifest('cuda-kernels', []),
  'packages/cuda-kernels/src/index.ts': 'export const leaf = 1;\n',
  'packages/cuda-kernels/native/kernels/rms_norm.cu': '#include "core/op_registry.h"\n',
  'packages/cuda-kernels/native/kernels/rms_norm.wide.cu': '#include "device/reduce.cuh"\n',
  'packages/cuda-kernels/native/cpu/rms_norm.cc': '#include "core/op_registry.h"\n',
  'packages/tensor/package.json': manifest('tensor', ['cuda-kernels']),
  'packages/tensor/src/index.ts': "import { leaf } from '@limen/cuda-kernels';\nexport const tensor = leaf;\n",
  'packages/tensor/src/ops/rms-norm.ts': "export const rmsNorm = defineOp({\n  kernel: 'rms_norm',\n});\n",
  'packages/tensor/src/ops/rms-norm.cases.ts': 'export default 1;\n',
  'packages/models-janus/package.json': manifest('models-janus', ['tensor']),
  'packages/models-janus/src/index.ts': "export { tensor } from '@limen/tensor';\n",
  'packages/graph-runtime/package.json': manifest('graph-runtime', ['tensor']),
  'packages/graph-runtime/src/index.ts': 'export const capture = 1;\n',
  'README.md': 'The op is in `rms-norm.ts`; see [the package](packages/tensor/README.md).\n',
  'examples/01-hello-tensor.ts': "import { tensor } from '@limen/tensor';\nconsole.log(tensor);\n",
};

for (const name of ['cuda-kernels', 'tensor', 'models-janus', 'graph-runtime']) {
  for (const file of ['README.md', 'tsup.config.ts', 'tsconfig.json']) lawfulFiles[`packages/${name}/${file}`] = '\n';
}

function manifest(name: string, dependencies: string[]): string {
  return JSON.stringify({
    name: `@limen/${name}`,
    exports: { '.': './src/index.ts' },
    scripts: { build: 'tsup' },
    dependencies: Object.fromEntries(dependencies.map((key) => [`@limen/${key}`, 'workspace:^'])),
  });
}

/** A folder with the lawful files and the planted ones (`null` removes a file); deleted on dispose. */
export function plantRepository(planted: Record<string, string | null> = {}): Disposable & { root: string } {
  const root = mkdtempSync(join(tmpdir(), 'limen-planted-'));
  for (const [file, text] of Object.entries({ ...lawfulFiles, ...planted })) {
    if (text === null) continue;
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
