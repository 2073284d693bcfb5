// A child process stands in for the addon: what matters here is how its end is read and remembered.

import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { probeNative, type ProbeOptions } from './probe-native.js';

let folder: string;
let addon: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'limen-probe-'));
  addon = path.join(folder, 'addon.node');
  writeFileSync(addon, 'any bytes');
});

afterEach(() => rmSync(folder, { recursive: true }));

function options(program: string, changes: Partial<ProbeOptions> = {}): ProbeOptions {
  return { cacheFolder: undefined, timeoutMs: 20_000, program, ...changes };
}

// Counts its runs in a file beside the addon.
const counting = 'require("node:fs").appendFileSync(process.argv[1] + ".runs", "x");';

function runs(): number {
  return readFileSync(`${addon}.runs`, 'utf8').length;
}

describe('probeNative', () => {
  test('passes when the child ends well, and hands it the path', () => {
    const program = `process.exitCode = process.argv[1] === ${JSON.stringify(addon)} ? 0 : 1`;
    expect(probeNative(addon, options(program))).toEqual({ outcome: 'passed', detail: '' });
  });

  test('reports the words of a loader that refuses', () => {
    const program = 'process.stderr.write("invalid ELF header"); process.exitCode = 86;';
    expect(probeNative(addon, options(program))).toEqual({ outcome: 'failed', detail: 'invalid ELF header' });
  });

  test('calls a segmentation fault a crash and names the signal', () => {
    const verdict = probeNative(addon, options('process.kill(process.pid, "SIGSEGV"); setInterval(() => {}, 1000)'));
    expect(verdict).toEqual({ outcome: 'crashed', detail: 'signal SIGSEGV' });
  });

  test('calls an unexpected exit status a crash', () => {
    expect(probeNative(addon, options('process.exit(3)'))).toEqual({ outcome: 'crashed', detail: 'exit status 3' });
  });

  test('gives up on a child that hangs', () => {
    const verdict = probeNative(addon, options('setInterval(() => {}, 1000)', { timeoutMs: 300 }));
    expect(verdict).toEqual({ outcome: 'hung', detail: 'no answer within 300 ms' });
  });

  test('refuses a file that is no addon', () => {
    const verdict = probeNative(
      addon,
      options(
        'try { require(process.argv[1]) } catch (error) { process.stderr.write(error.message); process.exitCode = 86 }',
      ),
    );
    expect(verdict.outcome).toBe('failed');
    expect(verdict.detail).toMatch(/too short|ELF/);
  });
});

describe('the verdict on disk', () => {
  test('is used until the binary changes', () => {
    const once = options(counting, { cacheFolder: path.join(folder, 'cache') });
    probeNative(addon, once);
    probeNative(addon, once);
    expect(runs()).toBe(1);
    writeFileSync(addon, 'a new build');
    probeNative(addon, once);
    expect(runs()).toBe(2);
  });

  test('keeps a crash for a while, then asks again', () => {
    const cacheFolder = path.join(folder, 'cache');
    const crashing = options(`${counting} process.abort()`, { cacheFolder });
    probeNative(addon, crashing);
    expect(probeNative(addon, crashing).outcome).toBe('crashed');
    expect(runs()).toBe(1);
    for (const file of listFiles(cacheFolder)) utimesSync(file, new Date(0), new Date(0));
    probeNative(addon, crashing);
    expect(runs()).toBe(2);
  });

  test('does not keep what the loader refused', () => {
    const refusing = options(`${counting} process.exitCode = 86`, { cacheFolder: path.join(folder, 'cache') });
    probeNative(addon, refusing);
    probeNative(addon, refusing);
    expect(runs()).toBe(2);
  });

  test('does without a folder it cannot write', () => {
    const unwritable = path.join(addon, 'not-a-folder');
    expect(probeNative(addon, options('', { cacheFolder: unwritable })).outcome).toBe('passed');
  });
});

function listFiles(directory: string): string[] {
  return readdirSync(directory).map((file) => path.join(directory, file));
}
