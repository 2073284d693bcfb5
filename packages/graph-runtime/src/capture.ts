// Captures a function of tensors: what it launches becomes a graph that replays without the function.

import { keepApart, record, type RecordingPool, type Tensor } from '@limen/tensor';

import { CapturedGraph } from './captured-graph.js';
import { disposeTensors, mapTensors } from './result-tensors.js';
import { CaptureError } from './errors/capture-error.js';

/** How to capture. */
export interface CaptureOptions {
  /** For errors and statistics; default `'step'`. */
  readonly name?: string;
  /**
   * Runs before the capture, so that what happens only once (libraries that load, kernels that tune) stays out of it;
   * default 1. Use 0 for a step whose effects must not happen an extra time and that has run before.
   */
  readonly warmUps?: number;
  /** Memory shared with other graphs that never replay at the same time; default: memory of its own. */
  readonly pool?: RecordingPool | undefined;
}

/**
 * Captures `step` on a device: a CUDA graph on a GPU, the list of ops on a CPU.
 *
 * @param step - launches ops and returns a tensor, several in an array or an object, or nothing. It must not read
 *   tensors, wait, or copy from the host; its tensors keep their addresses from replay to replay.
 * @returns the caller disposes it
 * @throws {CaptureError} the step did something that cannot be captured; the device is as it was before
 *
 * @example
 * using graph = capture('cuda', () => linear({ x: inputs.tensor('x'), weight }));
 * inputs.set('x', values);
 * const y = await read(graph.replay());
 */
export function capture<Result>(
  device: string,
  step: () => Result,
  options: CaptureOptions = {},
): CapturedGraph<Result> {
  const { name = 'step', warmUps = 1, pool } = options;
  for (let run = 0; run < warmUps; run++) disposeTensors(step());
  const start = performance.now();
  let result: { value: Result } | undefined;
  try {
    const recording = record(device, () => void (result = { value: pool === undefined ? step() : apart(step()) }), {
      pool,
    });
    const { value } = result as unknown as { value: Result };
    const captureMilliseconds = performance.now() - start;
    return new CapturedGraph({ name, device, captureMilliseconds }, recording, value, () => disposeTensors(value));
  } catch (error) {
    if (result !== undefined) disposeTensors(result.value);
    throw new CaptureError(name, device, error);
  }
}

/** Results in memory that other graphs of the pool leave alone. */
function apart<Result>(made: Result): Result {
  try {
    return mapTensors(made, (tensor: Tensor) => keepApart(tensor));
  } finally {
    disposeTensors(made);
  }
}
