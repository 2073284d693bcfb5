// The two builds that several commands need: the native addon, where a compiler is found, and the packages.

import { spawnSync } from 'node:child_process';
import { pnpmRelease } from './repository.mjs';
import { runCommand } from './run-command.mjs';

/**
 * @typedef {object} BuildResult
 * @property {'done' | 'failed' | 'skipped'} outcome
 * @property {string} text what happened, in one line
 * @property {string} output what the compiler said
 * @property {number} [seconds]
 */

/** @param {string} program */
function answers(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** @returns {string[]} programs that the native addon needs and this machine lacks */
export function missingCompilers() {
  const missing = [];
  if (![process.env.CXX, 'c++', 'g++', 'clang++'].some((program) => program !== undefined && answers(program))) {
    missing.push('a C++ compiler');
  }
  if (!answers('cmake')) missing.push('CMake');
  return missing;
}

/**
 * Builds the native addon; without a compiler that is no failure, because everything then runs through TypeScript.
 * @param {string[]} [parameters] for `build-native.mjs`
 * @param {Record<string, string>} [env]
 * @returns {Promise<BuildResult>}
 */
export async function buildNative(parameters = [], env = {}) {
  const missing = missingCompilers();
  if (missing.length > 0) {
    const text = `Native addon: not built, this machine lacks ${missing.join(' and ')}; going on in TypeScript`;
    return { outcome: 'skipped', text, output: '' };
  }
  const script = 'packages/cuda-kernels/scripts/build-native.mjs';
  const { code, output, seconds } = await runCommand(process.execPath, [script, ...parameters], { env });
  if (code !== 0) {
    const text = `Native addon: failed to build; going on in TypeScript (to see why: node ${script})`;
    return { outcome: 'failed', text, output, seconds };
  }
  const kind = /with CUDA/.test(output) ? 'with CUDA kernels' : 'for the CPU';
  return { outcome: 'done', text: `Native addon built ${kind}`, output, seconds };
}

/**
 * Bundles every package, in order of dependency; unchanged ones come from the cache.
 * @returns {Promise<BuildResult>}
 */
export async function buildPackages() {
  const parameters = [
    '-y',
    pnpmRelease,
    'exec',
    'turbo',
    'run',
    'build',
    '--output-logs=errors-only',
    '--continue=dependencies-successful',
  ];
  const { code, output, seconds } = await runCommand('npx', parameters);
  return { outcome: code === 0 ? 'done' : 'failed', text: 'Packages built', output, seconds };
}
