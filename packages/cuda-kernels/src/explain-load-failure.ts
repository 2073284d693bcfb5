// Turns a failed load into a page the user can act on: what was tried, what is wrong, one command for each cause.

import path from 'node:path';

import type { LoadAttempt, NativeLoad } from './native-load.js';

interface Remedy {
  readonly cause: string;
  readonly command?: string;
}

/** The machine, as far as the explanation depends on it. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Version of the C library; undefined where it is not glibc. */
  readonly glibc: string | undefined;
}

/** Several lines: every file that was tried with its outcome, then each cause with the command that removes it. */
export function explainLoadFailure(
  load: Pick<NativeLoad, 'attempts' | 'reason'>,
  root: string,
  machine: Machine = describeMachine(),
): string {
  const lines = [`The native addon could not be loaded: ${load.reason ?? 'unknown reason'}.`];
  for (const attempt of load.attempts)
    lines.push(`  tried ${attempt.path} (${attempt.source}): ${describeOutcome(attempt)}`);
  for (const remedy of findRemedies(load, root, machine)) {
    lines.push(remedy.cause);
    if (remedy.command !== undefined) lines.push(`  ${remedy.command}`);
  }
  return lines.join('\n');
}

function describeOutcome(attempt: LoadAttempt): string {
  const words = { missing: 'not there', failed: 'did not load', crashed: 'crashed', hung: 'hung', loaded: 'loaded' };
  return attempt.detail === '' ? words[attempt.outcome] : `${words[attempt.outcome]}: ${attempt.detail}`;
}

function findRemedies(load: Pick<NativeLoad, 'attempts'>, root: string, machine: Machine): readonly Remedy[] {
  if (load.attempts.length === 0)
    return [{ cause: 'The addon is switched off. To allow it:', command: 'unset LIMEN_NATIVE' }];
  if (machine.platform !== 'linux') {
    return [
      {
        cause: `The addon exists for Linux only, and this is ${machine.platform}. Use device 'cpu' here, or a Linux machine or container.`,
      },
    ];
  }
  const remedies = load.attempts.map((attempt) => remedyFor(attempt, root, machine));
  const known = new Set<string>();
  return remedies.filter((remedy) => !known.has(remedy.cause) && known.add(remedy.cause));
}

function remedyFor(attempt: LoadAttempt, root: string, machine: Machine): Remedy {
  const build = `node ${path.join(root, 'scripts', 'build-native.mjs')}`;
  const { outcome, detail } = attempt;
  if (outcome === 'missing' && attempt.source === 'LIMEN_NATIVE_PATH') {
    return {
      cause: 'LIMEN_NATIVE_PATH names a file that does not exist. To use the usual places:',
      command: 'unset LIMEN_NATIVE_PATH',
    };
  }
  if (outcome === 'hung') {
    return {
      cause: 'The addon or the GPU driver did not answer. To see whether the driver does:',
      command: 'nvidia-smi',
    };
  }
  if (outcome === 'crashed') {
    return {
      cause: 'Loading it ends a process. To see how, in a process of its own:',
      command: `node -e "require('${attempt.path}').cudaStatus()"`,
    };
  }
  if (outcome === 'missing') return { cause: 'It has not been built on this machine. To build it:', command: build };
  if (machine.glibc === undefined || /GLIBC(XX)?_/.test(detail)) {
    const found = machine.glibc === undefined ? 'another C library than glibc' : `glibc ${machine.glibc}`;
    return {
      cause: `It was built for a newer C library than this machine has (${found}). To build it here:`,
      command: build,
    };
  }
  if (/cannot open shared object file/.test(detail)) {
    return { cause: 'A library it needs is missing. To see which:', command: `ldd ${attempt.path}` };
  }
  if (/NODE_MODULE_VERSION|did not self-register|undefined symbol/.test(detail)) {
    return { cause: 'It does not fit this Node.js. To build it again:', command: build };
  }
  if (/failed to map segment|Permission denied|Operation not permitted/i.test(detail)) {
    return {
      cause: 'The file system does not let it run (mounted noexec?). To see how it is mounted:',
      command: `findmnt --target ${attempt.path}`,
    };
  }
  return {
    cause: `The file is damaged or was built for another processor than ${machine.arch}. To build it again:`,
    command: build,
  };
}

function describeMachine(): Machine {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return { platform: process.platform, arch: process.arch, glibc: report.header?.glibcVersionRuntime };
}
