// Records what a function launches, on any device, to run it again later on the same memory.

import type { Recording } from './backends/backend.js';
import { backendFor } from './backends/backends.js';
import type { RecordingPool } from './backends/recording-arena.js';
import { parseDevice } from './device.js';
import { copy } from './ops/copy.js';
import type { Tensor } from './tensor.js';

/** How to record. */
export interface RecordOptions {
  /** Memory shared with other recordings of the device; default: memory of its own. */
  readonly pool?: RecordingPool | undefined;
}

/**
 * Runs `step` while the device records: its ops are not executed, they become the recording. On CUDA a graph, on the
 * CPU the list of ops. Tensors that the step makes are private to the recording; those that exist already must stay
 * alive for as long as it is replayed.
 *
 * @throws {CaptureViolationError} the step reads a tensor, copies from the host, waits, or records itself
 * @throws {InvalidArgumentError} the pool was opened for another device
 * @throws whatever the step throws; the device is then as it was before
 */
export function record(device: string, step: () => void, { pool }: RecordOptions = {}): Recording {
  const backend = backendFor(parseDevice(device));
  backend.beginRecording(pool);
  try {
    step();
  } catch (error) {
    backend.abortRecording();
    throw error;
  }
  return backend.endRecording();
}

/**
 * Opens memory that recordings share: what one uses only while it replays serves the others as well, so that the graphs
 * of many sizes take about as much as the largest. They must never replay at the same time; on one stream they do not.
 * What a replay leaves in tensors that the step made is overwritten by the next replay of any of them: results go through
 * {@link keepApart}. A block goes back to the device when the last recording that uses it is disposed.
 *
 * @throws {DeviceNotAvailableError} there is no such device
 */
export function openRecordingPool(device: string): RecordingPool {
  return backendFor(parseDevice(device)).openRecordingPool();
}

/**
 * Within a recording that shares its memory: a copy that only replays of this recording write to, for results that are
 * read after other recordings have replayed. The copy is part of the recording; the caller disposes it.
 */
export function keepApart(tensor: Tensor): Tensor {
  return backendFor(tensor.device).keepApart(() => copy({ x: tensor }));
}
