// Builds the native addon for this machine: build/Release/limen.node.
//
//   node scripts/build-native.mjs [--cuda auto|on|off] [--release] [--optional] [--jobs N] [--out folder] [--lineinfo]
//
// --cuda      auto (default): CUDA kernels if this machine has an NVIDIA GPU or LIMEN_CUDA=1; LIMEN_CUDA=0 means off
// --release   kernels for every supported GPU instead of this machine's (minutes instead of seconds)
// --optional  leave with status 0 when there is no compiler: everything then runs through TypeScript
// Environment: LIMEN_CUDA, LIMEN_CUDA_ARCHITECTURES (e.g. "80,90a"), CUDACXX, CUDA_HOME, CUDA_PATH, CXX.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const packageFolder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const releaseArchitectures = '80;86;89;90a;100f;120f';
const cmakeJsVersion = '8.0.0';

const { values: options } = parseArgs({
  options: {
    cuda: { type: 'string', default: 'auto' },
    release: { type: 'boolean', default: false },
    optional: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string', default: 'build' },
    lineinfo: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

function stop(text) {
  console.error(`\n${text}\n`);
  process.exit(options.optional ? 0 : 1);
}

function answers(command, commandArguments = ['--version']) {
  return spawnSync(command, commandArguments, { stdio: 'ignore' }).status === 0;
}

function findNvcc() {
  const { CUDACXX, CUDA_HOME, CUDA_PATH } = process.env;
  const places = [CUDA_HOME, CUDA_PATH, '/usr/local/cuda']
    .filter(Boolean)
    .map((root) => path.join(root, 'bin', 'nvcc'));
  return [CUDACXX, 'nvcc', ...places].filter(Boolean).find((candidate) => answers(candidate));
}

function wantsCuda() {
  if (options.cuda === 'on' || options.cuda === 'off') return options.cuda === 'on';
  if (options.cuda !== 'auto') stop(`build-native: --cuda has no value "${options.cuda}": expected auto, on or off.`);
  if (process.env.LIMEN_CUDA === '1' || process.env.LIMEN_CUDA === '0') return process.env.LIMEN_CUDA === '1';
  return existsSync('/proc/driver/nvidia/version') || existsSync('/dev/nvidiactl');
}

// The kernels use instructions of one exact chip, so this machine's answer decides ("9.0" becomes "90a").
function architecturesOfThisMachine() {
  const query = spawnSync('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader'], { encoding: 'utf8' });
  if (query.status !== 0) return '90a';
  const capabilities = new Set(
    query.stdout
      .split('\n')
      .map((line) => line.trim().replace('.', ''))
      .filter((digits) => /^\d+$/.test(digits)),
  );
  const named = [...capabilities].map((digits) => (Number(digits) >= 90 ? `${digits}a` : digits));
  return named.length > 0 ? named.join(';') : '90a';
}

function architectures() {
  const asked = process.env.LIMEN_CUDA_ARCHITECTURES?.trim();
  if (asked) return asked.split(/[\s,;]+/).join(';');
  return options.release ? releaseArchitectures : architecturesOfThisMachine();
}

function cmakeJs(command, definitions) {
  const commandArguments = [
    command,
    '--out',
    options.out,
    '-B',
    'Release',
    '-l',
    options.verbose ? 'verbose' : 'error',
    ...definitions,
  ];
  if (command === 'build') commandArguments.push('--parallel', options.jobs);
  let program = [process.execPath];
  try {
    const require = createRequire(import.meta.url);
    program.push(path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js'));
  } catch {
    program = ['npx', '-y', `cmake-js@${cmakeJsVersion}`]; // an installed package comes without development tools
  }
  const [file, ...first] = program;
  const result = spawnSync(file, [...first, ...commandArguments], { cwd: packageFolder, stdio: 'inherit' });
  return result.status === 0;
}

if (process.platform !== 'linux') {
  stop(`The native addon is for Linux, this is ${process.platform}. Limen runs here through TypeScript, on the CPU.`);
}
const missing = [];
if (![process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean).some((compiler) => answers(compiler)))
  missing.push('a C++ compiler');
if (!answers('cmake')) missing.push('CMake 3.25 or newer');
if (missing.length > 0) {
  stop(
    `The native addon was not built: this machine lacks ${missing.join(' and ')}. Limen works without it, through TypeScript, ` +
      'only more slowly and without CUDA. To build it: sudo apt-get install -y g++ make cmake, then run this command again.',
  );
}

const cuda = wantsCuda();
if (cuda && !findNvcc()) {
  const text =
    'CUDA kernels were asked for, but nvcc was not found. Install the CUDA toolkit (12.8 or newer) or set CUDACXX to nvcc.';
  if (options.cuda === 'on' || process.env.LIMEN_CUDA === '1') stop(text);
  console.error(`${text}\nBuilding the CPU half only.`);
}

const started = Date.now();
const definitions = [
  `--CDLIMEN_CUDA=${cuda ? 'ON' : 'OFF'}`,
  `--CDLIMEN_CUDA_ARCHITECTURES=${architectures()}`,
  `--CDLIMEN_LINEINFO=${options.lineinfo ? 'ON' : 'OFF'}`,
];
// `configure` first: `build` alone would keep the options of the last time.
if (!cmakeJs('configure', definitions) || !cmakeJs('build', definitions)) {
  stop(
    'The native addon failed to build; the compiler says why above. Limen works without it, through TypeScript, without CUDA.',
  );
}
const kind = cuda ? `with CUDA kernels for ${architectures()}` : 'for the CPU only';
console.log(`Built ${options.out}/Release/limen.node ${kind} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
