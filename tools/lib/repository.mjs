// Where the repository is and which files belong to it. Knows paths only; reads no file contents.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the repository root. */
export const repositoryRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The pnpm release that every command uses; the same as `packageManager` in package.json. */
export const pnpmRelease = 'pnpm@12.21.0';

const skippedFolders = new Set([
  'node_modules',
  'dist',
  'build',
  'build-cuda',
  'prebuilds',
  'out',
  'coverage',
  '.git',
  '.turbo',
]);

/**
 * Lists the files below a folder, skipping build outputs and dependencies.
 * @param {string} root
 * @param {string} [folder] relative to `root`
 * @returns {string[]} paths relative to `root`, with forward slashes, sorted
 */
export function listFiles(root, folder = '.') {
  const start = join(root, folder);
  if (!existsSync(start)) return [];
  /** @type {string[]} */
  const files = [];
  const pending = [start];
  for (let current = pending.pop(); current !== undefined; current = pending.pop()) {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      const path = join(current, entry.name);
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) pending.push(path);
      } else if (entry.isFile()) {
        files.push(relative(root, path).split(sep).join('/'));
      }
    }
  }
  return files.sort();
}

/**
 * Lists what git tracks or would track; falls back to the folder tree where there is no git checkout.
 * @param {string} root
 * @returns {string[]} paths relative to `root`
 */
export function listTrackedFiles(root) {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (git.status !== 0 || !existsSync(join(root, '.git'))) return listFiles(root);
  return git.stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));
}

/**
 * The workspace packages, by folder name.
 * @param {string} root
 * @returns {string[]} for example `['cuda-kernels', 'tensor']`, sorted
 */
export function listPackages(root) {
  const folder = join(root, 'packages');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'package.json')))
    .map((entry) => entry.name)
    .sort();
}
