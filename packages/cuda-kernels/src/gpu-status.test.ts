// Readings come from a stand-in for NVML, compiled here; which library is opened is decided once per process, so each
// case runs in one of its own.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, expect, test } from 'vitest';

import type { GpuStatusReading } from './gpu-status.js';
import { loadNative } from './load-native.js';

const folder = mkdtempSync(join(tmpdir(), 'limen-nvml-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const source = fileURLToPath(new URL('../native/test/fake_nvml.c', import.meta.url));
const library = join(folder, 'libnvidia-ml.so.1');
const compiled = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source]).status === 0;
const missing =
  loadNative().binding === null ? 'no native addon' : compiled ? undefined : 'no C compiler for the stand-in';
if (missing !== undefined) console.log(`skipped: ${missing}`);

function readingOf(index: number, environment: Readonly<Record<string, string>>): GpuStatusReading {
  const page = JSON.stringify(new URL('./gpu-status.ts', import.meta.url).href);
  const script = `import(${page}).then(({ gpuStatus }) => console.log(JSON.stringify(gpuStatus(${index}))));`;
  const output = execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  });
  return JSON.parse(output) as GpuStatusReading;
}

test.skipIf(missing !== undefined)('a GPU is read field by field, and what it does not report is left out', () => {
  expect(readingOf(0, { LIMEN_NVML_PATH: library })).toEqual({
    available: true,
    name: 'Stand-in GPU',
    driverVersion: '580.1',
    utilizationPercent: 83,
    memoryUtilizationPercent: 41,
    memoryUsedBytes: 50e9,
    memoryTotalBytes: 150e9,
    temperatureCelsius: 61,
    powerMilliwatts: 512_345,
    multiprocessorClockMegahertz: 1755,
    memoryClockMegahertz: 3201,
    largestMultiprocessorClockMegahertz: 1980,
  });
});

test.skipIf(missing !== undefined)('a GPU that is not there is a reason', () => {
  const reading = readingOf(5, { LIMEN_NVML_PATH: library });
  expect(reading).toEqual({ available: false, reason: 'nvmlDeviceGetHandle: Not Found' });
});

test.skipIf(missing !== undefined)('a library that is not there is a reason, and so is an addon that is not', () => {
  const reading = readingOf(0, { LIMEN_NVML_PATH: join(folder, 'nothing.so') });
  expect(reading).toMatchObject({ available: false, reason: expect.stringContaining('nothing.so') as string });
  expect(readingOf(0, { LIMEN_NATIVE: 'off' })).toEqual({ available: false, reason: 'LIMEN_NATIVE=off is set' });
});
