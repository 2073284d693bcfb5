import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

import { findPackageRoot } from './package-root.js';

test('finds this package from its sources', () => {
  expect(findPackageRoot()).toBe(path.resolve(import.meta.dirname, '..'));
});

test('passes packages of other names on the way up', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'limen-root-'));
  try {
    writeFileSync(path.join(root, 'package.json'), '{ "name": "@limen/cuda-kernels" }');
    mkdirSync(path.join(root, 'dist', 'cjs'), { recursive: true });
    writeFileSync(path.join(root, 'dist', 'package.json'), '{ "type": "commonjs" }');
    writeFileSync(path.join(root, 'dist', 'cjs', 'package.json'), 'not json');
    expect(findPackageRoot(pathToFileURL(path.join(root, 'dist', 'cjs', 'index.cjs')).href)).toBe(root);
  } finally {
    rmSync(root, { recursive: true });
  }
});
