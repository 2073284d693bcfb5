// The thread pool has no face in JavaScript, so its test is a small C++ program.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';

const native = path.resolve(import.meta.dirname, '../native');
const compiler = process.env['CXX'] ?? 'g++';
const hasCompiler = spawnSync(compiler, ['--version']).status === 0;
if (!hasCompiler) console.log('skipped: there is no C++ compiler');

test.skipIf(!hasCompiler)('parallel_for visits every item once, nested, concurrent and after exceptions', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'limen-pool-'));
  try {
    const program = path.join(folder, 'thread_pool');
    const sources = ['test/thread_pool.cc', 'core/thread_pool.cc'].map((file) => path.join(native, file));
    const flags = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Werror', '-pthread', '-I', native, '-o', program];
    expect(spawnSync(compiler, [...flags, ...sources], { encoding: 'utf8' }).stderr).toBe('');
    const run = spawnSync(program, { encoding: 'utf8', timeout: 20_000 });
    expect([run.stdout, run.status]).toEqual(['ok\n', 0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
