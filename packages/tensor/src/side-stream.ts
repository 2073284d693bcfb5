// Side streams and host buffers as their users get them.

import { backendFor } from './backends/backends.js';
import type { HostBuffer, SideStream } from './backends/side-stream.js';
import { parseDevice } from './device.js';
import { CaptureViolationError } from './errors/capture-violation-error.js';
import { InvalidArgumentError } from './errors/invalid-argument-error.js';

/**
 * Opens an order of work beside the one that ops use, for transfers that must not hold ops up.
 *
 * @returns the caller disposes it
 * @throws {DeviceNotAvailableError} there is no such device
 * @throws {CaptureViolationError} a capture is under way
 *
 * @example
 * using stream = openSideStream('cuda:0');
 * using host = allocateHostBuffer('cuda:0', result.byteLength);
 * stream.followOps(); // `result` is complete when the copy begins
 * stream.download(result, host.bytes);
 * await stream.reached();
 */
export function openSideStream(device: string): SideStream {
  requireNoCapture(device);
  return backendFor(parseDevice(device)).openSideStream();
}

/**
 * Takes host memory for transfers with a device: page-locked for a GPU, ordinary for the CPU. Taking page-locked memory
 * is slow, some 0.3 s a gibibyte: take it once and keep it.
 *
 * @param byteLength - bytes; at most 4 GiB for a GPU on Node.js 20
 * @returns the caller disposes it, when its copies have run
 * @throws {InvalidArgumentError} `byteLength` is no count
 * @throws {CaptureViolationError} a capture is under way
 */
export function allocateHostBuffer(device: string, byteLength: number): HostBuffer {
  if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
    throw new InvalidArgumentError(
      `allocateHostBuffer: byteLength is not allowed: expected a whole number ≥ 0, got ${byteLength}. Pass a number of bytes.`,
    );
  }
  requireNoCapture(device);
  return backendFor(parseDevice(device)).allocateHost(byteLength);
}

/**
 * Checks that ops run rather than being recorded, for work that a recording cannot hold.
 *
 * @param what - the work, for the message
 * @throws {CaptureViolationError} a capture is under way on the device
 */
export function requireNoCapture(device: string, what = 'work on a side stream'): void {
  const backend = backendFor(parseDevice(device));
  if (backend.isRecording) throw new CaptureViolationError(what, backend.device);
}
