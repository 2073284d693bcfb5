// Finds the three files of every op by name alone: rms-norm.ts, rms-norm.cases.ts, rms_norm.cu.

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listFiles, listPackages } from './repository.mjs';

/**
 * @typedef {object} OpFiles
 * @property {{ stem: string, file: string, kernel: string | undefined }[]} declarations files that call `defineOp`
 * @property {{ stem: string, file: string }[]} cases
 * @property {{ stem: string, file: string }[]} kernels one entry per `.cu` file; `linear.hopper.cu` belongs to `linear`
 * @property {{ stem: string, file: string }[]} cpuKernels files of `native/cpu` that register an op
 */

/**
 * @param {string} root
 * @returns {OpFiles} stems in kebab-case
 */
export function findOpFiles(root) {
  const inOps = listPackages(root)
    .flatMap((name) => listFiles(root, `packages/${name}/src/ops`))
    .filter((file) => !/\.test(-d)?\.ts$/.test(file));
  const declarations = inOps
    .filter((file) => file.endsWith('.ts') && !/\.(cases|reference)\.ts$/.test(file))
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))
    .filter(({ text }) => /\bdefineOp\s*[<(]/.test(text))
    .map(({ file, text }) => ({ stem: basename(file, '.ts'), file, kernel: /^\s+kernel:\s*'(\w+)'/m.exec(text)?.[1] }));
  const cases = inOps
    .filter((file) => file.endsWith('.cases.ts'))
    .map((file) => ({ stem: basename(file, '.cases.ts'), file }));
  return {
    declarations,
    cases,
    kernels: nativeStems(root, 'kernels', '.cu'),
    cpuKernels: nativeStems(root, 'cpu', '.cc').filter(({ file }) =>
      /\bREGISTER_CPU_OP\(/.test(readFileSync(join(root, file), 'utf8')),
    ),
  };
}

/** @param {string} root @param {string} folder @param {string} extension */
function nativeStems(root, folder, extension) {
  return listFiles(root, `packages/cuda-kernels/native/${folder}`)
    .filter((file) => file.endsWith(extension))
    .map((file) => ({ stem: (basename(file, extension).split('.')[0] ?? '').replaceAll('_', '-'), file }));
}
