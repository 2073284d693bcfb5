// Compiles the addon with its CUDA kernels for one architecture, beside the addon of this machine, and loads the result:
// without a GPU it must load, answer, and list a CUDA kernel for every `.cu` file.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildNative } from './lib/build.mjs';
import { findOpFiles } from './lib/op-files.mjs';
import { repositoryRoot } from './lib/repository.mjs';
import { printStep } from './lib/step-line.mjs';

/** Folder of the CUDA build, relative to packages/cuda-kernels. */
const cudaBuildFolder = 'build-cuda';

/**
 * @returns {Promise<string>} absolute path of the addon
 */
export async function buildCudaAddon() {
  const result = await buildNative(['--cuda', 'on', '--out', cudaBuildFolder], {
    LIMEN_CUDA: '1',
    LIMEN_CUDA_ARCHITECTURES: '90a',
  });
  if (result.outcome !== 'done') {
    console.error(result.output.trimEnd());
    printStep('failed', result.text, result.seconds);
    process.exit(1);
  }
  printStep('done', 'CUDA kernels compiled for sm_90a', result.seconds);
  return join(repositoryRoot, 'packages', 'cuda-kernels', cudaBuildFolder, 'Release', 'limen.node');
}

/**
 * @param {string} addon
 * @returns {string[]} kernel files that registered nothing, and registered names without a file
 */
function findUnregistered(addon) {
  /** @type {{ ops(): { name: string, backend: 'cpu' | 'cuda' }[] }} */
  const binding = createRequire(import.meta.url)(addon);
  const registered = binding.ops().filter(({ backend }) => backend === 'cuda');
  const names = new Set(registered.map(({ name }) => name.replaceAll('_', '-')));
  const stems = new Set(findOpFiles(repositoryRoot).kernels.map(({ stem }) => stem));
  return [...[...stems].filter((stem) => !names.has(stem)), ...[...names].filter((name) => !stems.has(name))];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const unregistered = findUnregistered(await buildCudaAddon());
  if (unregistered.length === 0) {
    printStep('done', 'The addon loads without a GPU and registers every kernel file');
  } else {
    printStep('failed', `Kernel files and registered kernels differ: ${unregistered.join(', ')}`);
    process.exitCode = 1;
  }
}
