// Runs a group of tests once per golden folder; a folder that is not there becomes a skipped test that says why.

import { describe, it } from 'vitest';

import { findGoldenFolder } from './find-golden.js';

/** Calls `body` with the path of each folder that exists. */
export function describeGolden(
  names: readonly string[],
  title: string,
  body: (path: string, name: string) => void,
): void {
  for (const name of names) {
    const found = findGoldenFolder(name);
    if (found.path !== undefined) {
      const { path } = found;
      describe(`${title} · ${name}`, () => body(path, name));
    } else it.skip(`${title} · ${name} (skipped: ${found.reason})`, () => undefined);
  }
}

/** `it` itself, or a skipped test whose title gives the reason. */
export function itWith(condition: boolean, reason: string): (title: string, body: () => void | Promise<void>) => void {
  if (condition) return (title, body) => it(title, body);
  return (title) => it.skip(`${title} (skipped: ${reason})`, () => undefined);
}
