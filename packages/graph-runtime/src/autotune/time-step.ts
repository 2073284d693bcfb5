// How long a step takes on a device: replayed where it can be captured, as it will run later.

import { synchronize } from '@limen/tensor';

import { canCapture } from '../can-capture.js';
import { capture } from '../capture.js';
import { disposeTensors } from '../result-tensors.js';

/** How to measure. */
export interface TimingOptions {
  /** Measurements, of which the median counts; default 5. */
  readonly runs?: number;
  /** Steps in each of them; default 8: enough that waiting for the device weighs little. */
  readonly steps?: number;
}

/** Median milliseconds of one step. It runs `runs · steps` times and a few times more. */
export async function timeStep(
  device: string,
  step: () => unknown,
  { runs = 5, steps = 8 }: TimingOptions = {},
): Promise<number> {
  disposeTensors(step());
  const graph = canCapture(device, step).possible ? capture(device, step, { warmUps: 0 }) : undefined;
  try {
    const run = graph === undefined ? () => disposeTensors(step()) : () => void graph.replay();
    run();
    await synchronize(device);
    const times: number[] = [];
    for (let measurement = 0; measurement < runs; measurement++) {
      const start = performance.now();
      for (let count = 0; count < steps; count++) run();
      await synchronize(device);
      times.push((performance.now() - start) / steps);
    }
    return times.sort((a, b) => a - b)[times.length >> 1] ?? NaN;
  } finally {
    graph?.[Symbol.dispose]();
  }
}
