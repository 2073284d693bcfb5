// Copies installed packages and everything they depend on into another folder, as the package manager laid them out:
// a store of real folders and links between them. Leaves out what only people and compilers read.

import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

const neverNeeded =
  /\.(map|md|markdown|flow|tsbuildinfo)$|\.d\.[cm]?ts$|(^|\/)(LICENSE|LICENCE|CHANGELOG|HISTORY)(\.\w+)?$/i;

/**
 * Every name that an installed package can see: `vite`, `@vitest/runner`, …
 * @param {string} modules a node_modules folder
 * @returns {string[]}
 */
function listNames(modules) {
  if (!existsSync(modules)) return [];
  return readdirSync(modules).flatMap((name) => {
    if (name.startsWith('.')) return [];
    return name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name];
  });
}

/**
 * @param {object} request
 * @param {string} request.root repository root; every package lives below its node_modules
 * @param {string} request.target folder that stands for the root in the copy
 * @param {{ folder: string, name: string }[]} request.entries links to start from: `name` in `folder`/node_modules
 * @param {RegExp} request.without names that are not followed
 * @returns {number} packages copied
 */
export function copyDependencyClosure({ root, target, entries, without }) {
  /** @type {Set<string>} */
  const copied = new Set();
  const pending = entries.map(({ folder, name }) => join(root, folder, 'node_modules', name));
  for (let link = pending.pop(); link !== undefined; link = pending.pop()) {
    const real = realpathSync(link);
    const path = relative(root, link);
    if (lstatSync(link).isSymbolicLink()) {
      mkdirSync(dirname(join(target, path)), { recursive: true });
      if (!existsSync(join(target, path))) symlinkSync(readlinkSync(link), join(target, path));
    }
    // A workspace package is copied as source, not as a dependency.
    if (copied.has(real) || !relative(root, real).startsWith('node_modules')) continue;
    copied.add(real);
    cpSync(real, join(target, relative(root, real)), {
      recursive: true,
      filter: (source) => !neverNeeded.test(source) && !source.slice(real.length).includes('/node_modules'),
    });
    const modules = real.slice(0, real.lastIndexOf('/node_modules/') + '/node_modules'.length);
    for (const name of listNames(modules)) {
      if (!without.test(name)) pending.push(join(modules, name));
    }
  }
  return copied.size;
}
