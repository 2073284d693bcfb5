// Copies the built addon to prebuilds/<platform>-<arch>/ and strips it. Stripping keeps the CUDA code inside.
// Build with `build-native.mjs --cuda on --release` first.

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const source = path.join(packageFolder, 'build', 'Release', 'limen.node');
if (!existsSync(source)) {
  console.error(`${source} does not exist. Run first: node scripts/build-native.mjs --cuda on --release`);
  process.exit(1);
}

const folder = path.join(packageFolder, 'prebuilds', `${process.platform}-${process.arch}`);
const target = path.join(folder, 'limen.glibc.node');
mkdirSync(folder, { recursive: true });
copyFileSync(source, target);
const strip = spawnSync('strip', ['--strip-unneeded', target], { stdio: 'inherit' });
if (strip.status !== 0) console.error('strip failed: the prebuild works, it is only larger.');
console.log(`${path.relative(packageFolder, target)}: ${(statSync(target).size / 2 ** 20).toFixed(1)} MiB`);
