// Timing of device work: warm-up, several runs, the median and its spread.

import { synchronize } from '@limen/tensor';

import { DeviceStopwatch } from './device-stopwatch.js';

/** A measured figure. */
export interface Sample {
  readonly median: number;
  /** Largest minus smallest of the runs. */
  readonly spread: number;
  readonly runs: number;
}

/** Median and spread of some figures. */
export function summarize(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
  return { median: median ?? NaN, spread: (sorted.at(-1) ?? NaN) - (sorted[0] ?? NaN), runs: values.length };
}

/** Mean and standard deviation of some figures. */
export function moments(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}

/**
 * Milliseconds per call, from the first launch until the device is idle again.
 *
 * @param calls - calls per run: enough that one wait for the device weighs nothing
 */
export async function timeCalls(
  device: string,
  call: () => unknown,
  { runs = 7, calls = 1, warmUps = 2 } = {},
): Promise<Sample> {
  for (let warmUp = 0; warmUp < warmUps; warmUp++) await call();
  await synchronize(device);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    for (let index = 0; index < calls; index++) await call();
    await synchronize(device);
    times.push((performance.now() - start) / calls);
  }
  return summarize(times);
}

/**
 * As {@link timeCalls} for calls that launch and return: nothing is awaited in between. Of a GPU it is the device's own time,
 * as rivals are measured, without what the host takes to notice the end.
 */
export async function timeLaunches(
  device: string,
  launch: () => void,
  { runs = 7, calls = 1, warmUps = 2 } = {},
): Promise<Sample> {
  const batch = () => {
    for (let index = 0; index < calls; index++) launch();
  };
  using stopwatch = DeviceStopwatch.of(device);
  if (stopwatch === undefined)
    return scale(await timeCalls(device, batch, { runs, warmUps }), (milliseconds) => milliseconds / calls);
  for (let warmUp = 0; warmUp < warmUps; warmUp++) batch();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    await synchronize(device);
    stopwatch.start();
    batch();
    stopwatch.stop();
    await synchronize(device);
    times.push(stopwatch.milliseconds / calls);
  }
  return summarize(times);
}

/** Another unit for a sample. The spread becomes that of the converted runs, to first order. */
export function scale({ median, spread, runs }: Sample, convert: (value: number) => number): Sample {
  return {
    median: convert(median),
    spread: Math.abs(convert(median + spread / 2) - convert(median - spread / 2)),
    runs,
  };
}
