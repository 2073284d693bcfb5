// Whether GPU tests can run here, and why not.

import { LimenError } from '@limen/cuda-kernels';

import { backendFor } from '../backends/backends.js';

/** Why the first CUDA device cannot be used; undefined when it can. */
export function cudaUnavailable(): string | undefined {
  try {
    backendFor('cuda:0');
    return undefined;
  } catch (error) {
    return LimenError.isInstance(error) ? error.message : String(error);
  }
}
