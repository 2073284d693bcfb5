// Reads benchmarks/results.

import { readdirSync, readFileSync } from 'node:fs';

import type { Results } from './report.js';

const folder = new URL('../results/', import.meta.url);

/** The newest results whose file name matches; undefined when there are none. Dates lead the names. */
export function newestResults(name: RegExp): Results | undefined {
  const newest = readdirSync(folder)
    .filter((file) => name.test(file))
    .sort()
    .at(-1);
  return newest === undefined ? undefined : (JSON.parse(readFileSync(new URL(newest, folder), 'utf8')) as Results);
}
