// Packs every package as it would be published and uses the result from outside: metadata, types, what is inside, and
// whether both `import` and `require` load it in a folder that holds nothing else. One `ok` or `not ok` line per check.

import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listFiles, listPackages, pnpmRelease, repositoryRoot } from './lib/repository.mjs';
import { runCommand } from './lib/run-command.mjs';

const out = join(repositoryRoot, 'out', 'packs');
const mostPackedBytes = 300 * 1024;
let index = 0;

/** @param {boolean} passed @param {string} claim @param {string} [detail] */
function report(passed, claim, detail = '') {
  index += 1;
  console.log(`${passed ? 'ok' : 'not ok'} ${index} - ${claim}`);
  if (passed) return;
  console.log(detail.trimEnd());
  process.exitCode = 1;
}

/**
 * @typedef {object} PackedPackage
 * @property {string} name `@limen/tensor`
 * @property {string} source folder in the repository
 * @property {string} tarball
 * @property {string} installed folder with the unpacked tarball
 * @property {{ exports: Record<string, unknown>, dependencies?: Record<string, string>, bin?: Record<string, string> }} manifest as published
 */

/** @param {string} folderName @returns {Promise<PackedPackage | undefined>} */
async function pack(folderName) {
  const source = join(repositoryRoot, 'packages', folderName);
  const destination = join(out, folderName);
  mkdirSync(destination, { recursive: true });
  const packed = await runCommand('npx', ['-y', pnpmRelease, 'pack', '--pack-destination', destination], {
    cwd: source,
  });
  const file = readdirSync(destination).find((entry) => entry.endsWith('.tgz'));
  if (packed.code !== 0 || file === undefined) {
    report(false, `@limen/${folderName} can be packed`, packed.output);
    return undefined;
  }
  const installed = join(out, 'consumer', 'node_modules', '@limen', folderName);
  mkdirSync(installed, { recursive: true });
  const tarball = join(destination, file);
  await runCommand('tar', ['xzf', tarball, '--strip-components=1', '-C', installed]);
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  return { name: `@limen/${folderName}`, source, tarball, installed, manifest };
}

/** Makes the third-party dependencies of a package visible to the consumer. @param {PackedPackage} packed */
function linkDependencies({ source, manifest }) {
  for (const name of Object.keys(manifest.dependencies ?? {}).filter((key) => !key.startsWith('@limen/'))) {
    const link = join(out, 'consumer', 'node_modules', name);
    if (existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(join(source, 'node_modules', name)), link);
  }
}

/** @param {PackedPackage} packed */
async function checkContents({ name, tarball, installed, manifest }) {
  const text = JSON.stringify(manifest);
  report(
    !/workspace:|limen-source/.test(text),
    `${name} publishes no workspace protocol and no source condition`,
    text,
  );
  const files = readdirSync(installed, { recursive: true }).map(String);
  const strays = files.filter((file) => /\.test\.|(^|\/)(node_modules|build|\.turbo)\//.test(file));
  report(strays.length === 0, `${name} holds no tests and no build folders`, strays.join('\n'));
  const code = files.filter((file) => file.startsWith('dist/') && /\.(js|cjs)$/.test(file));
  const bytes = code.reduce((sum, file) => sum + readFileSync(join(installed, file)).length, 0);
  report(bytes <= 4 * mostPackedBytes, `${name} holds little JavaScript`, `${bytes} bytes in dist`);

  const lint = await runCommand(process.execPath, ['node_modules/publint/src/cli.js', 'run', tarball, '--strict']);
  report(lint.code === 0, `${name} passes publint`, lint.output);
  const attw = [
    'node_modules/@arethetypeswrong/cli/dist/index.js',
    tarball,
    '--profile',
    'node16',
    '--format',
    'ascii',
  ];
  const types = await runCommand(process.execPath, attw, { env: { NO_COLOR: '1' } });
  report(types.code === 0, `${name} has types for import and require`, types.output);
}

// A machine with Node and nothing else: no compiler on the path, and no GPU for a driver to show.
const bareMachine = { PATH: dirname(process.execPath), CUDA_VISIBLE_DEVICES: '' };

/** @param {PackedPackage} packed */
async function checkLoading({ name, manifest }) {
  const entries = Object.keys(manifest.exports).filter((key) => !/\.json$|\*|^\.\/cli$/.test(key));
  const specifiers = JSON.stringify(entries.map((key) => name + key.slice(1)));
  const imports = `for (const s of ${specifiers}) await import(s)`;
  const requires = `for (const s of ${specifiers}) require(s)`;
  for (const [kind, type, program] of [
    ['import', 'module', imports],
    ['require', 'commonjs', requires],
  ]) {
    const parameters = [`--input-type=${type}`, '--eval', String(program)];
    const { code, output } = await runCommand(process.execPath, parameters, {
      cwd: join(out, 'consumer'),
      env: bareMachine,
    });
    report(code === 0, `${name} loads through ${kind} without a compiler or a GPU`, output);
  }
}

/** Computes with the packed packages, through both kinds of loading. */
async function checkComputing() {
  const program = `
    const x = tensor.fromArray([3, 4], [1, 2]);
    const y = tensor.linear({ x, weight: tensor.fromArray([1, 1, 2, 0], [2, 2]) });
    tensor.read(y).then((values) => { if (values.join() !== '7,6') throw new Error(values.join()); });`;
  for (const [kind, type, load] of [
    ['import', 'module', "import * as tensor from '@limen/tensor';"],
    ['require', 'commonjs', "const tensor = require('@limen/tensor');"],
  ]) {
    const parameters = [`--input-type=${type}`, '--eval', `${load}${program}`];
    const { code, output } = await runCommand(process.execPath, parameters, {
      cwd: join(out, 'consumer'),
      env: bareMachine,
    });
    report(code === 0, `the packed ops compute through ${kind} without a compiler or a GPU`, output);
  }
}

/** @param {PackedPackage} packed */
async function checkCommands({ name, installed, manifest }) {
  for (const [command, file] of Object.entries(manifest.bin ?? {})) {
    const cwd = join(out, 'consumer');
    const { code, output } = await runCommand(process.execPath, [join(installed, file), '--help'], { cwd });
    report(code === 0, `${name} installs a ${command} command that runs`, output);
  }
}

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'consumer'), { recursive: true });
const names = listPackages(repositoryRoot).filter(
  (name) => listFiles(repositoryRoot, `packages/${name}/src`).length > 0,
);
const packages = (await Promise.all(names.map(pack))).filter((packed) => packed !== undefined);
for (const packed of packages) linkDependencies(packed);
for (const packed of packages) {
  await checkContents(packed);
  await checkLoading(packed);
  await checkCommands(packed);
}
await checkComputing();
