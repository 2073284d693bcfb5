// The one-line description of a tensor that logs and errors use.

import type { DeviceName } from './device.js';
import type { DType } from './dtype.js';

/** `bf16[2, 17, 4096] cuda:0` */
export function describeTensor(tensor: { dtype: DType; shape: readonly number[]; device: DeviceName }): string {
  return `${tensor.dtype}[${tensor.shape.join(', ')}] ${tensor.device}`;
}
