// Records what a function launches, on any device, to run it again later on the same memory.

import type { Recording } from './backends/backend.js';
import { backendFor } from './backends/backends.js';
import { parseDevice } from './device.js';

/**
 * Runs `step` while the device records: its ops are not executed, they become the recording. On CUDA a graph, on the
 * CPU the list of ops. Tensors that the step makes are private to the recording; those that exist already must stay
 * alive for as long as it is replayed.
 *
 * @throws {CaptureViolationError} the step reads a tensor, copies from the host, waits, or records itself
 * @throws whatever the step throws; the device is then as it was before
 */
export function record(device: string, step: () => void): Recording {
  const backend = backendFor(parseDevice(device));
  backend.beginRecording();
  try {
    step();
  } catch (error) {
    backend.abortRecording();
    throw error;
  }
  return backend.endRecording();
}
