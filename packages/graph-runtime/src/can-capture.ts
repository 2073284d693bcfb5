// Whether something can be captured, without capturing it for good.

import { record } from '@limen/tensor';

import { disposeTensors } from './result-tensors.js';

/** The answer, with the reason where it is no. */
export type CaptureVerdict =
  | {
      readonly possible: true;
      /** Kernels and copies (ops on a CPU). */
      readonly nodeCount: number;
      /** Bytes that a graph of its own would hold. */
      readonly privateBytes: number;
    }
  | { readonly possible: false; readonly reason: string };

/**
 * Whether a device can capture, and a step be captured on it: the step is recorded, without being executed, and the
 * recording thrown away. A step that ran before gives the surest answer, as what happens once has happened.
 *
 * @param step - default: nothing, which asks about the device alone
 *
 * @example
 * const verdict = canCapture('cuda', () => step(inputs));
 * if (!verdict.possible) console.log(verdict.reason);
 */
export function canCapture(device: string, step: () => unknown = () => undefined): CaptureVerdict {
  let result: unknown;
  try {
    using recording = record(device, () => {
      result = step();
    });
    const { nodeCount, privateBytes } = recording;
    return { possible: true, nodeCount, privateBytes };
  } catch (error) {
    return { possible: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    disposeTensors(result);
  }
}
