// `npm run gpu-bundle`: writes out/gpu-bundle/, a folder that runs the GPU tests, the benchmarks, the golden checks and
// the limen command on a machine with an NVIDIA driver and nothing else of ours (tools/gpu-bundle/run.sh is its entry).
// The code travels as source, with each file's JavaScript beside it, so that there it is the same as here.
// `--without-fixtures` leaves the golden folders and the weights of janus-tiny out.

import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap } from './bootstrap.mjs';
import { buildCudaAddon } from './build-cuda.mjs';
import { copyDependencyClosure } from './lib/dependency-closure.mjs';
import { listFiles, listPackages, listTrackedFiles, repositoryRoot } from './lib/repository.mjs';
import { runCommand } from './lib/run-command.mjs';
import { printStep, runStep } from './lib/step-line.mjs';

const mostBytes = 60 * 1024 * 1024;
// Two runs at once do not meet: each has a staging folder, and the result is moved into place at the end.
const staging = join(repositoryRoot, 'out', `gpu-bundle-${process.pid}`);
const bundle = join(staging, 'bundle');
const cache = join(repositoryRoot, 'out', 'cache');
const { values } = parseArgs({ options: { 'without-fixtures': { type: 'boolean', default: false } } });

/** Compilers, their types, and what the test runner would only use when asked. */
const notNeededThere = /^(typescript|tsx|esbuild|@types\/.*|cmake-js|node-addon-api|lightningcss.*|yaml|jiti)$/;

/** Machine code packs best by itself, with its jump targets rewritten. */
const binaryFile = /\.node$|\.so(\.[\d.]+)?$/;

/** Tracked files that make up the running code; documents and native sources stay behind. */
const codeFile =
  /^(packages\/(?!cuda-kernels\/native\/|[\w-]+\/CHANGELOG|janus-tiny\/train\/results\/)|benchmarks\/(?!results\/|rivals\/)|tools\/|package\.json|pnpm-workspace\.yaml|tsconfig[\w.]*\.json|vitest\.config\.ts)/;

/** @param {string} path */
function belongsInBundle(path) {
  if (!codeFile.test(path) || path.endsWith('.md')) return false;
  return !(values['without-fixtures'] && path.endsWith('.safetensors'));
}

/** @param {string} command a shell pipeline @param {string} text */
async function runShell(command, text) {
  await runStep(text, 'bash', ['-o', 'pipefail', '-c', command]);
}

/**
 * Compresses to `bundle/name`; an input that was compressed before is taken from out/cache.
 * @param {string} name
 * @param {string} identity digest of the input
 * @param {string} command pipeline that writes the compressed bytes to standard output
 */
async function compress(name, identity, command) {
  const cached = join(cache, `${identity}-${name}`);
  if (!existsSync(cached)) {
    for (const file of readdirSync(cache)) if (file.endsWith(`-${name}`)) rmSync(join(cache, file), { force: true });
    const part = `${cached}.${process.pid}`;
    await runShell(`${command} > '${part}' && mv '${part}' '${cached}'`, `Compressed ${name}`);
  }
  cpSync(cached, join(bundle, name));
}

/** @param {string} folder @returns {Promise<string>} digest of names, modes and contents below a folder */
async function digestFolder(folder) {
  const list = `cd '${folder}' && tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - . | sha256sum`;
  const { output } = await runCommand('bash', ['-o', 'pipefail', '-c', list]);
  return output.slice(0, 16);
}

/** @param {string} folder @param {string} name @param {string} [filter] xz filter in front of the compressor */
async function compressFolder(folder, name, filter = '') {
  const tar = `tar --sort=name --mtime=@0 --owner=0 --group=0 -C '${folder}' -cf - .`;
  await compress(name, await digestFolder(folder), `${tar} | xz -T1 ${filter} --lzma2=preset=9,dict=128MiB`);
}

/**
 * Compiles the TypeScript that runs outside the test runner to `compiled/`, at the same paths.
 * @param {string} tree staged source
 * @param {string} target
 */
async function compileSources(tree, target) {
  const { transform } = await import('esbuild');
  const files = listFiles(tree).filter((file) => file.endsWith('.ts') && !/\.test(-d)?\.ts$/.test(file));
  for (const file of files) {
    const { code } = await transform(readFileSync(join(tree, file), 'utf8'), {
      loader: 'ts',
      format: 'esm',
      target: 'node20',
      sourcefile: basename(file),
      sourcemap: 'inline',
      sourcesContent: false,
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: 'ES2023' } },
    });
    mkdirSync(dirname(join(target, file)), { recursive: true });
    writeFileSync(join(target, file), code);
  }
  return files.length;
}

/** Moves machine code out of the staged code. @param {string} from @param {string} to */
function separateBinaries(from, to) {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !binaryFile.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const target = join(to, relative(from, path));
    mkdirSync(dirname(target), { recursive: true });
    renameSync(path, target);
  }
}

async function stageNode() {
  const binary = join(staging, 'node');
  cpSync(process.execPath, binary, { dereference: true });
  const strip = await runCommand('strip', [binary]);
  if (strip.code !== 0) printStep('note', 'strip is missing: Node goes in with its symbols');
  const identity = createHash('sha256').update(readFileSync(binary)).digest('hex').slice(0, 16);
  await compress('node.xz', identity, `xz -T1 --x86 --lzma2=preset=9e,dict=128MiB -c '${binary}'`);
}

async function stageCode() {
  const tree = join(staging, 'code', 'main');
  for (const file of listTrackedFiles(repositoryRoot).filter(belongsInBundle)) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    cpSync(join(repositoryRoot, file), join(tree, file));
  }
  const addon = join(tree, 'packages', 'cuda-kernels', 'build', 'Release', 'limen.node');
  mkdirSync(dirname(addon), { recursive: true });
  cpSync(await buildCudaAddon(), addon);
  await runCommand('strip', ['--strip-unneeded', addon]);

  const folders = ['benchmarks', ...listPackages(repositoryRoot).map((name) => join('packages', name))];
  const packages = folders.flatMap((folder) => {
    const manifest = JSON.parse(readFileSync(join(repositoryRoot, folder, 'package.json'), 'utf8'));
    return Object.keys(manifest.dependencies ?? {})
      .filter((dependency) => !notNeededThere.test(dependency))
      .map((dependency) => ({ folder, name: dependency }));
  });
  const runners = ['vitest', 'fast-check'].map((name) => ({ folder: '.', name }));
  const entries = [...runners, ...packages];
  const count = copyDependencyClosure({ root: repositoryRoot, target: tree, entries, without: notNeededThere });
  const compiled = await compileSources(tree, join(staging, 'code', 'compiled'));
  printStep('done', `Code staged: ${compiled} compiled files, ${count} packages`);
  separateBinaries(join(staging, 'code'), join(staging, 'binaries'));
  await compressFolder(join(staging, 'binaries'), 'binaries.tar.xz', '--x86');
  await compressFolder(join(staging, 'code'), 'code.tar.xz');
}

/** Janus golden folders of the repository, and those beside it, which hold what the repository leaves out. */
async function stageFixtures() {
  const target = join(staging, 'fixtures');
  for (const [from, to] of [
    [join(repositoryRoot, 'fixtures', 'golden'), join(target, 'main', 'fixtures', 'golden')],
    [join(repositoryRoot, '..', 'shared', 'golden'), join(target, 'shared', 'golden')],
  ]) {
    if (from === undefined || to === undefined || !existsSync(from)) continue;
    for (const name of readdirSync(from).filter((entry) => entry.startsWith('janus-'))) {
      cpSync(join(from, name), join(to, name), { recursive: true });
    }
  }
  await runCommand('chmod', ['-R', 'u+w', target]);
  await compressFolder(target, 'fixtures.tar.xz');
}

await bootstrap();
for (const folder of [bundle, cache]) mkdirSync(folder, { recursive: true });
await stageNode();
await stageCode();
if (!values['without-fixtures']) await stageFixtures();

const commit = await runCommand('git', ['describe', '--always', '--dirty', '--abbrev=12']);
writeFileSync(join(bundle, 'commit'), commit.code === 0 ? commit.output : 'unknown\n');
cpSync(join(repositoryRoot, 'tools', 'gpu-bundle', 'run.sh'), join(bundle, 'run.sh'));
const digest = createHash('sha256');
for (const file of readdirSync(bundle).sort()) digest.update(readFileSync(join(bundle, file)));
writeFileSync(join(bundle, 'identity'), `${digest.digest('hex')}\n`);

let total = 0;
for (const file of readdirSync(bundle).sort()) {
  const { size } = statSync(join(bundle, file));
  total += size;
  console.log(`  ${file.padEnd(20)} ${(size / 1048576).toFixed(2).padStart(7)} MiB`);
}
const text = `out/gpu-bundle: ${(total / 1048576).toFixed(2)} MiB of at most 60`;
printStep(total <= mostBytes ? 'done' : 'failed', text);
process.exitCode = total <= mostBytes ? 0 : 1;
const place = join(repositoryRoot, 'out', 'gpu-bundle');
rmSync(place, { recursive: true, force: true });
renameSync(bundle, place);
rmSync(staging, { recursive: true, force: true });
