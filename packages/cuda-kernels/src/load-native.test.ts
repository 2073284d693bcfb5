import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { type LoadOptions, loadNative, tryLoad } from './load-native.js';
import { requireAddon } from './native.js';
import type { NativeBinding } from './native-types.js';

const binding = { version: 'stand-in' } as NativeBinding;
let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'limen-load-'));
});

afterEach(() => rmSync(root, { recursive: true }));

function load(changes: Partial<LoadOptions> = {}) {
  return tryLoad({
    environment: {},
    root,
    probe: () => ({ outcome: 'passed', detail: '' }),
    requireAddon: () => binding,
    ...changes,
  });
}

function place(relative: string): string {
  const file = path.join(root, relative);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, 'no addon at all');
  return file;
}

const localBuild = 'build/Release/limen.node';
const prebuild = `prebuilds/${process.platform}-${process.arch}/limen.glibc.node`;

describe('tryLoad', () => {
  test('reports both usual places when nothing was built', () => {
    const result = load();
    expect(result.binding).toBeNull();
    expect(result.attempts.map(({ path: file, outcome }) => [path.relative(root, file), outcome])).toEqual([
      [localBuild, 'missing'],
      [prebuild, 'missing'],
    ]);
    expect(result.reason).toContain('no built addon was found');
  });

  test('prefers the local build to a prebuild', () => {
    place(prebuild);
    expect(load().path).toBe(path.join(root, prebuild));
    place(localBuild);
    expect(load().path).toBe(path.join(root, localBuild));
  });

  test('goes on to the prebuild when the local build does not load', () => {
    const broken = place(localBuild);
    place(prebuild);
    const result = load({
      requireAddon: (file) => {
        if (file === broken) throw new TypeError('undefined symbol: napi_nothing');
        return binding;
      },
    });
    expect(result.attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'loaded']);
    expect(result.attempts[0]?.detail).toBe('undefined symbol: napi_nothing');
    expect(result.reason).toBeUndefined();
  });

  test('tries nothing but LIMEN_NATIVE_PATH when it is set', () => {
    place(localBuild);
    const result = load({ environment: { LIMEN_NATIVE_PATH: path.join(root, 'elsewhere.node') } });
    expect(result.binding).toBeNull();
    expect(result.attempts).toMatchObject([{ source: 'LIMEN_NATIVE_PATH', outcome: 'missing' }]);
  });

  test('tries nothing with LIMEN_NATIVE=off', () => {
    place(localBuild);
    expect(load({ environment: { LIMEN_NATIVE: 'off' } })).toEqual({
      binding: null,
      path: undefined,
      attempts: [],
      reason: 'LIMEN_NATIVE=off is set',
    });
  });

  test.each(['crashed', 'hung', 'failed'] as const)(
    'never loads a binary whose probe %s, and keeps the reason',
    (outcome) => {
      const file = place(localBuild);
      const result = load({
        probe: () => ({ outcome, detail: 'signal SIGSEGV' }),
        requireAddon: () => expect.unreachable('the binary was loaded'),
      });
      expect(result.binding).toBeNull();
      expect(result.attempts[0]).toEqual({ path: file, source: 'local build', outcome, detail: 'signal SIGSEGV' });
      expect(result.reason).toMatch(/limen\.node .*\(signal SIGSEGV\)$/);
    },
  );

  test('leaves the probe out with LIMEN_SKIP_PROBE=1', () => {
    place(localBuild);
    const result = load({ environment: { LIMEN_SKIP_PROBE: '1' }, probe: () => expect.unreachable('the probe ran') });
    expect(result.binding).toBe(binding);
  });

  test('reports a corrupt file in the words of the loader', () => {
    place(localBuild);
    const result = load({ requireAddon });
    expect(result.attempts[0]).toMatchObject({ outcome: 'failed' });
    expect(result.reason).toMatch(/did not load \(.*(ELF|too short)/);
  });
});

test('loadNative gives the same answer every time', () => {
  expect(loadNative()).toBe(loadNative());
});
