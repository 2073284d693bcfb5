import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { copyDependencyClosure } from './dependency-closure.mjs';

/** `app` asks for `runner`, which asks for `helper` and `compiler`; laid out as a store of folders and links. */
function plantStore(root: string): void {
  const store = (name: string, inner = name) => join(root, 'node_modules', '.store', name, 'node_modules', inner);
  for (const name of ['runner', 'helper', 'compiler']) {
    mkdirSync(store(name), { recursive: true });
    writeFileSync(join(store(name), 'index.js'), `export const name = '${name}';\n`);
    writeFileSync(join(store(name), 'README.md'), 'for people\n');
  }
  const link = (target: string, path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  };
  link('../../helper/node_modules/helper', store('runner', 'helper'));
  link('../../compiler/node_modules/compiler', store('runner', 'compiler'));
  link('../../node_modules/.store/runner/node_modules/runner', join(root, 'app', 'node_modules', 'runner'));
}

test('copies a package with all it depends on, but not what is left out, nor what only people read', () => {
  const root = mkdtempSync(join(tmpdir(), 'limen-closure-'));
  try {
    plantStore(root);
    const target = join(root, 'copy');
    const entries = [{ folder: 'app', name: 'runner' }];
    expect(copyDependencyClosure({ root, target, entries, without: /^compiler$/ })).toBe(2);
    const throughLink = join(target, 'app', 'node_modules', 'runner', 'index.js');
    expect(readFileSync(throughLink, 'utf8')).toContain('runner');
    const runner = join(target, 'node_modules', '.store', 'runner', 'node_modules');
    expect(existsSync(join(runner, 'helper', 'index.js'))).toBe(true);
    expect(existsSync(join(runner, 'compiler'))).toBe(false);
    expect(existsSync(join(runner, 'runner', 'README.md'))).toBe(false);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
