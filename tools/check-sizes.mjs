// Checks that files stay small: TypeScript and tests at most 400 lines, CUDA and C++ at most 500. Prints the median, the
// ninetieth percentile and the maximum per package, so that growth is seen before the limit is met.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reportWhenStarted } from './lib/report-violations.mjs';
import { listFiles } from './lib/repository.mjs';

/** @typedef {'TypeScript' | 'tests' | 'native'} FileKind */

/** Most lines a file may have, by kind. @type {Record<FileKind, number>} */
export const lineLimits = { TypeScript: 400, tests: 400, native: 500 };

/**
 * @param {string} file
 * @returns {FileKind | undefined} undefined for a file without a limit
 */
function kindOf(file) {
  if (/\.test(-d)?\.(ts|tsx|mjs)$/.test(file)) return 'tests';
  if (/\.(ts|tsx|mjs)$/.test(file)) return 'TypeScript';
  if (/\.(cu|cuh|cc|h)$/.test(file)) return 'native';
  return undefined;
}

/**
 * @typedef {object} SizeGroup
 * @property {string} owner `packages/tensor`, `tools`, …
 * @property {FileKind} kind
 * @property {{ file: string, lines: number }[]} files ascending by lines
 */

/**
 * @param {string} root
 * @returns {SizeGroup[]} sorted by owner, then kind
 */
export function measureSizes(root) {
  /** @type {Map<string, SizeGroup>} */
  const groups = new Map();
  for (const folder of ['packages', 'tools', 'benchmarks', 'examples']) {
    for (const file of listFiles(root, folder)) {
      const kind = kindOf(file);
      if (kind === undefined) continue;
      const owner = folder === 'packages' ? file.split('/').slice(0, 2).join('/') : folder;
      const key = `${owner} ${kind}`;
      const group = groups.get(key) ?? { owner, kind, files: [] };
      groups.set(key, group);
      const text = readFileSync(join(root, file), 'utf8');
      group.files.push({ file, lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0) });
    }
  }
  for (const group of groups.values()) group.files.sort((left, right) => left.lines - right.lines);
  return [...groups.values()].sort((left, right) =>
    `${left.owner} ${left.kind}`.localeCompare(`${right.owner} ${right.kind}`),
  );
}

/**
 * @param {string} root
 * @returns {string[]} one text per file over its limit
 */
export function checkSizes(root) {
  return measureSizes(root).flatMap(({ kind, files }) =>
    files
      .filter(({ lines }) => lines > lineLimits[kind])
      .map(({ file, lines }) => `${file}: ${lines} lines; the limit for ${kind} is ${lineLimits[kind]}`),
  );
}

/** @param {string} root */
function printTable(root) {
  console.log(`${'folder'.padEnd(26)} ${'kind'.padEnd(10)} files median  p90  max`);
  for (const { owner, kind, files } of measureSizes(root)) {
    /** @param {number} share */
    const at = (share) => String(files[Math.min(files.length - 1, Math.floor(files.length * share))]?.lines ?? 0);
    const count = String(files.length).padStart(5);
    const [median, high, most] = [at(0.5).padStart(6), at(0.9).padStart(4), at(1).padStart(4)];
    console.log(`${owner.padEnd(26)} ${kind.padEnd(10)} ${count} ${median} ${high} ${most}`);
  }
}

reportWhenStarted(import.meta.url, 'every file is within its line limit', (root) => {
  printTable(root);
  return checkSizes(root);
});
