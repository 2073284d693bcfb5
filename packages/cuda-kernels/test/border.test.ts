// What the addon refuses before anything native sees it. Runs with any build of the addon, with or without CUDA.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { CudaError } from '../src/errors/cuda-error.js';
import { NativeError } from '../src/errors/native-error.js';
import { loadNative } from '../src/load-native.js';
import type { NativeBinding } from '../src/native-types.js';
import { runOp } from '../src/run-op.js';

const { binding: loaded, path: addonPath = '', reason } = loadNative();
if (loaded === null) console.log(`skipped: ${reason}`);
const binding = loaded as NativeBinding;
const none = new Float64Array();

// A tensor of shape [2, 2] at a made-up address: the calls below are refused before it is touched.
const valid = [4096, 0, 2, 2, 2, 2, 1];

describe.skipIf(loaded === null)('the native border', () => {
  let folder: string;
  let file: string;

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'limen-border-'));
    file = path.join(folder, 'bytes');
    writeFileSync(
      file,
      Uint8Array.from({ length: 10_000 }, (_, index) => index % 251),
    );
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  function run(tensorCount: number, descriptors: readonly number[], changes: { op?: number; workspace?: number } = {}) {
    const { op = 0, workspace = 0 } = changes;
    return () =>
      binding.runOp(op, 0, 0, tensorCount, new Float64Array(descriptors), none, workspace, workspace === 0 ? 0 : 16);
  }

  test.each<[string, number, number[], RegExp]>([
    ['descriptors that end early', 2, valid, /descriptors end inside tensor 1/],
    ['a shape without its strides', 1, valid.slice(0, -1), /descriptors end inside tensor 0/],
    ['numbers left over', 1, [...valid, 5], /expected no more numbers, got 1/],
    ['a rank above 8', 1, [4096, 0, 9], /wrong rank: expected 0 to 8, got 9/],
    ['an unknown dtype', 1, [4096, 7, 0], /wrong dtype: expected 0 to 6, got 7/],
    ['a negative size', 1, [4096, 0, 1, -1, 1], /wrong size/],
    ['a fractional stride', 1, [4096, 0, 1, 2, 0.5], /wrong stride/],
    ['an address that is no number', 1, [Number.NaN, 0, 0], /wrong address/],
    ['elements without memory', 1, [0, 0, 1, 2, 1], /expected memory for its elements/],
  ])('refuses %s', (_what, tensorCount, descriptors, text) => {
    expect(run(tensorCount, descriptors)).toThrow(text);
    expect(run(tensorCount, descriptors)).toThrow(expect.objectContaining({ code: 'INVALID_DESCRIPTOR' }));
  });

  test('refuses more tensors than an op can have', () => {
    expect(run(25, [])).toThrow(/tensorCount is invalid: expected at most 24, got 25/);
  });

  test('refuses an op index outside the table', () => {
    const count = binding.ops().length;
    expect(run(1, valid, { op: count })).toThrow(`expected an index below ${count}, got ${count}`);
    expect(run(1, valid, { op: -1 })).toThrow(NativeError);
  });

  test('refuses a workspace that is not aligned', () => {
    expect(run(0, [], { workspace: 4097 })).toThrow('aligned to 256 bytes');
  });

  test('refuses a name that is no kernel and lists those that are', () => {
    const call = { tensorCount: 0, descriptors: none, attributes: none };
    expect(() => runOp('no_such_op', 'cpu', call)).toThrow(expect.objectContaining({ code: 'UNKNOWN_OP' }));
  });

  test('refuses arguments of the wrong kind', () => {
    const anything = binding.runOp as (...values: readonly unknown[]) => void;
    expect(() => anything(0, 0, 0, 1, [1, 2, 3], none, 0, 0)).toThrow(
      'descriptors is invalid: expected a Float64Array',
    );
    expect(() => anything()).toThrow('op is invalid: expected an integer of at least 0, got undefined');
    expect(() => binding.setCpuThreads(0)).toThrow('count is invalid');
    expect(() => (binding.addressOf as (value: unknown) => number)(new Uint8Array(4))).toThrow(
      'expected an ArrayBuffer',
    );
  });

  test('creates its errors in JavaScript, with the stack of the call', () => {
    const error = catchError(() => binding.setCpuThreads(0));
    expect(error).toBeInstanceOf(NativeError);
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^setCpuThreads: /) as string,
    });
    expect((error as Error).stack).toContain('border.test.ts');
  });

  test('maps a file, whole or in part', () => {
    expect(new Uint8Array(binding.mapFile(file))[300]).toBe(300 % 251);
    const part = new Uint8Array(binding.mapFile(file, 4099, 100));
    expect([part.length, part[0], part[99]]).toEqual([100, 4099 % 251, 4198 % 251]);
    expect(binding.mapFile(file, 10_000).byteLength).toBe(0);
    expect(() => binding.mapFile(file, 9_999, 2)).toThrow('bytes is invalid');
    expect(() => binding.mapFile(file, 10_001)).toThrow('offset is invalid');
    expect(() => binding.mapFile(path.join(folder, 'missing'))).toThrow('No such file or directory');
    expect(() => binding.mapFile(folder)).toThrow('not a regular file');
  });

  test('keeps the number of threads it was given', () => {
    const before = binding.cpuThreads();
    binding.setCpuThreads(3);
    expect(binding.cpuThreads()).toBe(3);
    binding.setCpuThreads(before);
  });

  test('answers without a GPU: a status, three libraries, the address of memory', () => {
    const status = binding.cudaStatus();
    expect(status.deviceCount === 0).toBe(!status.compiled || status.errorCode !== 0);
    expect(binding.libraries().map(({ name, loaded: found, error }) => [name, found || error !== ''])).toEqual([
      ['cublasLt', true],
      ['nccl', true],
      ['nvml', true],
    ]);
    expect(binding.addressOf(new ArrayBuffer(8))).toBeGreaterThan(0);
  });

  test.skipIf(loaded !== null && loaded.cudaStatus().deviceCount > 0)(
    'refuses CUDA work without a device, with a code',
    () => {
      const error = catchError(() => binding.allocate(0, 16));
      if (binding.cudaStatus().compiled) expect(error).toBeInstanceOf(CudaError);
      else expect(error).toMatchObject({ code: 'CUDA_NOT_COMPILED' });
    },
  );

  test('loads in worker threads, and outlives one that ends', async () => {
    const program = `const addon = require(${JSON.stringify(addonPath)}); require('node:worker_threads').parentPort.postMessage(addon.ops().length)`;
    const counts = await Promise.all([0, 1].map(() => answerOf(new Worker(program, { eval: true }))));
    expect(counts).toEqual([binding.ops().length, binding.ops().length]);
    expect(binding.cpuThreads()).toBeGreaterThan(0);
  });

  test('may be loaded by a worker alone, which then ends', () => {
    const inWorker = `require(${JSON.stringify(addonPath)}).ops()`;
    const program = `new (require('node:worker_threads').Worker)(${JSON.stringify(inWorker)}, { eval: true }).on('exit', (code) => setTimeout(() => process.exit(code), 50))`;
    const child = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    expect([child.status, child.signal, child.stderr]).toEqual([0, null, '']);
  });
});

function answerOf(worker: Worker): Promise<unknown> {
  return new Promise<unknown>((resolve, reject) => {
    let answer: unknown;
    worker.on('message', (value: unknown) => (answer = value));
    worker.on('error', reject);
    worker.on('exit', () => resolve(answer));
  });
}

function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return expect.unreachable('nothing was thrown');
}
