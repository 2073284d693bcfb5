// Results as a table for people and as the JSON that other programs read.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname } from 'node:path';

import { loadNative } from '@limen/cuda-kernels';

import type { Sample } from './measure.js';

/** A rival's figure for the same work, from the same run on the same machine. */
export interface Rival {
  readonly name: string;
  readonly median: number;
}

/** One measured figure. Ids read `decode/janus-pro-7b/bf16/b1/c512`: benchmark, model, weight format, what varies. */
export interface Measurement extends Sample {
  readonly id: string;
  readonly unit: string;
  /** What the machine's measured memory or arithmetic rate allows, in the same unit; null when it was not worked out. */
  readonly floor: number | null;
  readonly rivals: readonly Rival[];
  /** Of single calls, where they were timed one by one; `deviation` is the standard one. */
  readonly mean?: number;
  readonly deviation?: number;
  /** Anything a reader needs to know. */
  readonly note?: string;
}

/** A results file. */
export interface Results {
  readonly device: string;
  readonly driver: string;
  readonly commit: string;
  readonly date: string;
  readonly measurements: readonly Measurement[];
}

function commit(): string {
  if (process.env['LIMEN_COMMIT'] !== undefined) return process.env['LIMEN_COMMIT'];
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

function driver(): string {
  try {
    return (
      execFileSync('nvidia-smi', ['--query-gpu=driver_version', '--format=csv,noheader'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .split('\n')[0]
        ?.trim() ?? 'unknown'
    );
  } catch {
    return 'none';
  }
}

/** The machine and the moment around some measurements. */
export function results(device: string, measurements: readonly Measurement[]): Results {
  const name =
    device === 'cpu'
      ? `${cpus()[0]?.model ?? 'CPU'} (${cpus().length} threads)`
      : loadNative().binding?.deviceProperties(0).name;
  return {
    device: name ?? 'unknown',
    driver: driver(),
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    measurements,
  };
}

const rates = new Set(['tok/s', 'requests/s', 'sequences', 'share', 'GB/s', 'TB/s', 'TFLOP/s']);

/** Whether a larger figure of this unit is the better one. Times, bytes and waste are better small. */
export function higherIsBetter(unit: string): boolean {
  return rates.has(unit);
}

/** Prints one measurement. */
export function printMeasurement({ id, unit, median, spread, runs, floor, rivals, note }: Measurement): void {
  const figure = (value: number) => (value >= 100 ? value.toFixed(1) : value.toPrecision(4));
  const better = higherIsBetter(unit);
  const share =
    floor === null || floor === 1
      ? ''
      : `  ${((better ? median / floor : floor / median) * 100).toFixed(0)} % of the floor`;
  const against = rivals.map(
    ({ name, median: theirs }) => `  ${(better ? median / theirs : theirs / median).toFixed(2)}× ${name}`,
  );
  console.log(
    `${id.padEnd(52)} ${figure(median).padStart(9)} ${unit} ±${figure(spread / 2)} (${runs} runs)${share}${against.join('')}${note ? `  ${note}` : ''}`,
  );
}

/** Writes a results file. */
export function writeResults(path: string, content: Results): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`);
}
