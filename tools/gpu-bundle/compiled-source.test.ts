import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const tools = fileURLToPath(new URL('.', import.meta.url));

/** A bundle as run.sh unpacks it: sources in main/, their JavaScript in compiled/. */
function plantBundle(files: Record<string, string>): Disposable & { root: string } {
  const root = mkdtempSync(join(tmpdir(), 'limen-bundle-'));
  mkdirSync(join(root, 'main', 'tools', 'gpu-bundle'), { recursive: true });
  for (const file of ['register-compiled.mjs', 'compiled-source.mjs']) {
    copyFileSync(join(tools, file), join(root, 'main', 'tools', 'gpu-bundle', file));
  }
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}

test('runs TypeScript without a compiler: the same paths, the same imports', () => {
  using bundle = plantBundle({
    'main/package.json': '{ "type": "module" }',
    'main/one.ts': 'types that Node cannot read',
    'compiled/one.ts': "import { two } from './two.js';\nconsole.log(two, import.meta.url.endsWith('/main/one.ts'));\n",
    'main/two.ts': 'more of them',
    'compiled/two.ts': "import { three } from './three.js';\nexport const two = 2 + three;\n",
    'main/three.js': 'export const three = 3;\n',
  });
  const register = pathToFileURL(join(bundle.root, 'main', 'tools', 'gpu-bundle', 'register-compiled.mjs')).href;
  const child = spawnSync(process.execPath, [join(bundle.root, 'main', 'one.ts')], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, NODE_OPTIONS: `--import=${register}` },
  });
  expect(child.stderr).toBe('');
  expect(child.stdout).toBe('5 true\n');
});

test('run.sh is sound bash', () => {
  expect(spawnSync('bash', ['-n', join(tools, 'run.sh')]).status).toBe(0);
});
