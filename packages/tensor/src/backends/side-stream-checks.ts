// What both kinds of side stream refuse.

import type { DeviceName } from '../device.js';
import { CaptureViolationError } from '../errors/capture-violation-error.js';
import { ShapeMismatchError } from '../errors/shape-mismatch-error.js';
import { describeTensor } from '../describe.js';
import type { Tensor } from '../tensor.js';

/** @throws {CaptureViolationError} a capture is under way */
export function requireNoCapture(isRecording: boolean, device: DeviceName): void {
  if (isRecording) throw new CaptureViolationError('work on a side stream', device);
}

/** @throws {ShapeMismatchError} the sizes differ, or the tensor has gaps */
export function requireSameBytes(caller: string, tensor: Tensor, bytes: Uint8Array): void {
  if (tensor.isContiguous && tensor.byteLength === bytes.byteLength) return;
  throw new ShapeMismatchError(
    `${caller}: bytes do not fit the tensor: expected ${tensor.byteLength} for a contiguous ${describeTensor(tensor)}, ` +
      `got ${bytes.byteLength}${tensor.isContiguous ? '' : ' and a tensor with gaps'}. Pass as many bytes as the tensor takes.`,
  );
}
