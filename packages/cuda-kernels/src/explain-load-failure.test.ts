import { describe, expect, test } from 'vitest';

import { explainLoadFailure, type Machine } from './explain-load-failure.js';
import type { LoadAttempt } from './native-load.js';

const linux: Machine = { platform: 'linux', arch: 'x64', glibc: '2.36' };
const build = 'node /package/scripts/build-native.mjs';

function explain(attempt: Partial<LoadAttempt>, machine = linux): string[] {
  const attempts: LoadAttempt[] = [
    { path: '/package/limen.node', source: 'local build', outcome: 'failed', detail: '', ...attempt },
  ];
  return explainLoadFailure({ attempts, reason: 'a reason' }, '/package', machine).split('\n');
}

describe('explainLoadFailure', () => {
  test('opens with the reason and lists what was tried', () => {
    const lines = explain({ detail: 'invalid ELF header' });
    expect(lines[0]).toBe('The native addon could not be loaded: a reason.');
    expect(lines[1]).toBe('  tried /package/limen.node (local build): did not load: invalid ELF header');
  });

  test.each<[string, Partial<LoadAttempt>, RegExp, string]>([
    ['a missing build', { outcome: 'missing' }, /not been built/, build],
    [
      'a wrong explicit path',
      { outcome: 'missing', source: 'LIMEN_NATIVE_PATH' },
      /does not exist/,
      'unset LIMEN_NATIVE_PATH',
    ],
    ['a damaged file', { detail: 'invalid ELF header' }, /damaged or was built for another processor/, build],
    ['an old C library', { detail: "version `GLIBC_2.38' not found" }, /newer C library .*glibc 2\.36/, build],
    [
      'a missing library',
      { detail: 'libfoo.so: cannot open shared object file' },
      /library it needs/,
      'ldd /package/limen.node',
    ],
    ['another Node.js', { detail: 'Module did not self-register' }, /does not fit this Node\.js/, build],
    [
      'a noexec mount',
      { detail: 'failed to map segment from shared object' },
      /noexec/,
      'findmnt --target /package/limen.node',
    ],
    [
      'a crash',
      { outcome: 'crashed', detail: 'signal SIGSEGV' },
      /ends a process/,
      `node -e "require('/package/limen.node').cudaStatus()"`,
    ],
    ['a hang', { outcome: 'hung' }, /did not answer/, 'nvidia-smi'],
  ])('gives one command for %s', (_cause, attempt, cause, command) => {
    const lines = explain(attempt).slice(2);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(cause);
    expect(lines[1]).toBe(`  ${command}`);
  });

  test('names another C library than glibc', () => {
    expect(explain({ detail: 'Error relocating' }, { ...linux, glibc: undefined })[2]).toContain(
      'another C library than glibc',
    );
  });

  test('offers no build where there is none', () => {
    const text = explain({ outcome: 'missing' }, { platform: 'darwin', arch: 'arm64', glibc: undefined }).join('\n');
    expect(text).toContain('exists for Linux only');
    expect(text).not.toContain('build-native');
  });

  test('tells how to switch the addon on again', () => {
    const text = explainLoadFailure({ attempts: [], reason: 'LIMEN_NATIVE=off is set' }, '/package', linux);
    expect(text).toContain('unset LIMEN_NATIVE');
  });

  test('gives each remedy once', () => {
    const missing: LoadAttempt = { path: '/a', source: 'local build', outcome: 'missing', detail: '' };
    const text = explainLoadFailure(
      { attempts: [missing, { ...missing, source: 'prebuild' }], reason: 'x' },
      '/package',
      linux,
    );
    expect(text.split(build)).toHaveLength(2);
  });
});
