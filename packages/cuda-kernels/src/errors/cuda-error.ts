import { LimenError } from './limen-error.js';

/**
 * What a CUDA failure means for the process.
 *
 * - `retryable`: the device is full or busy; the same call may succeed later or with less
 * - `user`: the call was wrong; nothing else is affected
 * - `sticky`: the CUDA context is lost; every later call of this process fails, only a new process helps
 */
export type CudaErrorKind = 'retryable' | 'user' | 'sticky';

const retryable: ReadonlySet<string> = new Set(['CUDA_MEMORY_ALLOCATION', 'CUDA_SYSTEM_NOT_READY', 'CUDA_NOT_READY']);

// The CUDA runtime documents each of these with "the process must be terminated and relaunched", or the device is gone.
const sticky: ReadonlySet<string> = new Set([
  'CUDA_ASSERT',
  'CUDA_CONTAINED',
  'CUDA_CONTEXT_IS_DESTROYED',
  'CUDA_DEVICE_UNINITIALIZED',
  'CUDA_ECC_UNCORRECTABLE',
  'CUDA_EXTERNAL_DEVICE',
  'CUDA_HARDWARE_STACK_ERROR',
  'CUDA_ILLEGAL_ADDRESS',
  'CUDA_ILLEGAL_INSTRUCTION',
  'CUDA_INVALID_ADDRESS_SPACE',
  'CUDA_INVALID_PC',
  'CUDA_LAUNCH_FAILURE',
  'CUDA_LAUNCH_TIMEOUT',
  'CUDA_MISALIGNED_ADDRESS',
  'CUDA_MPS_CLIENT_TERMINATED',
  'CUDA_NVLINK_UNCORRECTABLE',
  'CUDA_TENSOR_MEMORY_LEAK',
  'CUDA_UNKNOWN',
]);

// For statuses whose usual cause is known and can be removed.
const advice: Readonly<Record<string, string>> = {
  CUDA_INSUFFICIENT_DRIVER:
    'Install an NVIDIA driver, or a newer one; `nvidia-smi` prints the CUDA version it supports.',
  CUDA_NO_DEVICE: 'The driver sees no GPU: check `nvidia-smi`, CUDA_VISIBLE_DEVICES and, in a container, `--gpus all`.',
  CUDA_NO_KERNEL_IMAGE_FOR_DEVICE:
    'The kernels were compiled for other GPUs than this one: build the addon on this machine, or name its architecture in LIMEN_CUDA_ARCHITECTURES.',
  CUDA_STREAM_CAPTURE_INVALIDATED:
    'Something before it was not allowed during a capture: the first error of the capture says what.',
  CUDA_STREAM_CAPTURE_UNSUPPORTED: 'This cannot be part of a graph: do it before the capture, or after it.',
};

/** What a code such as `CUDA_ILLEGAL_ADDRESS` means for the process. */
export function classifyCudaCode(code: string): CudaErrorKind {
  if (sticky.has(code)) return 'sticky';
  return retryable.has(code) ? 'retryable' : 'user';
}

/** A failed CUDA call or launch. `code` is the CUDA status in capitals: `cudaErrorIllegalAddress` is `CUDA_ILLEGAL_ADDRESS`. */
export class CudaError extends LimenError {
  readonly kind: CudaErrorKind;

  constructor(code: string, text: string) {
    const kind = classifyCudaCode(code);
    const lost = 'The CUDA context of this process is lost: end the process and start a new one.';
    const next = kind === 'sticky' ? lost : advice[code];
    super(code, next === undefined ? text : `${text} ${next}`, { kind });
    this.kind = kind;
  }

  /** True when only a new process helps. */
  get isSticky(): boolean {
    return this.kind === 'sticky';
  }
}
