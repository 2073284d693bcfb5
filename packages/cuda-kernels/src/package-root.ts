// Finds the folder of this package, from src/, from dist/ (ESM and CommonJS) and from inside a bundle.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageName = '@limen/cuda-kernels';

/** Absolute path of the package; of the running file's folder when the package is nowhere to be found (a bundle). */
export function findPackageRoot(from: string = import.meta.url): string {
  const start = path.dirname(fileURLToPath(from));
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (isPackageRoot(folder)) return folder;
    if (folder === path.dirname(folder)) break;
  }
  try {
    return path.dirname(createRequire(from).resolve(`${packageName}/package.json`));
  } catch {
    return start;
  }
}

function isPackageRoot(folder: string): boolean {
  const file = path.join(folder, 'package.json');
  if (!existsSync(file)) return false;
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown }).name === packageName;
  } catch {
    return false;
  }
}
