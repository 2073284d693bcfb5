// The addon calls this for every failure, so that native errors are created in JavaScript, at the call that failed.

import { CudaError } from './cuda-error.js';
import type { LimenError } from './limen-error.js';
import { NativeError } from './native-error.js';

/** The error class for a native code: CudaError for a CUDA status, NativeError for everything else. */
export function createNativeError(code: string, text: string): LimenError {
  const isStatus = code.startsWith('CUDA_') && code !== 'CUDA_NOT_COMPILED';
  return isStatus ? new CudaError(code, text) : new NativeError(code, text);
}
