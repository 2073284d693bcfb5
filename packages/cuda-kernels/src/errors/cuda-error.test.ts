import { describe, expect, test } from 'vitest';

import { createNativeError } from './create-native-error.js';
import { CudaError, classifyCudaCode } from './cuda-error.js';
import { LimenError } from './limen-error.js';
import { NativeError } from './native-error.js';

describe('classifyCudaCode', () => {
  test.each([
    ['CUDA_MEMORY_ALLOCATION', 'retryable'],
    ['CUDA_INVALID_VALUE', 'user'],
    ['CUDA_INVALID_CONFIGURATION', 'user'],
    ['CUDA_STREAM_CAPTURE_UNSUPPORTED', 'user'],
    ['CUDA_ILLEGAL_ADDRESS', 'sticky'],
    ['CUDA_ECC_UNCORRECTABLE', 'sticky'],
    ['CUDA_LAUNCH_FAILURE', 'sticky'],
  ] as const)('%s is %s', (code, kind) => {
    expect(classifyCudaCode(code)).toBe(kind);
  });
});

describe('createNativeError', () => {
  test('makes a CudaError of a CUDA status and says when the process is lost', () => {
    const error = createNativeError('CUDA_ILLEGAL_ADDRESS', 'rms_norm: an illegal memory access.');
    expect(error).toBeInstanceOf(CudaError);
    expect(error).toMatchObject({ code: 'CUDA_ILLEGAL_ADDRESS', isSticky: true, name: 'CudaError' });
    expect(error.message).toMatch(/^rms_norm: an illegal memory access\. The CUDA context .* start a new one\.$/);
  });

  test('says what to do where the cause is known', () => {
    const error = createNativeError('CUDA_NO_KERNEL_IMAGE_FOR_DEVICE', 'add: no kernel image.');
    expect(error.message).toMatch(/^add: no kernel image\. .*LIMEN_CUDA_ARCHITECTURES/);
  });

  test('leaves the text of a harmless status alone', () => {
    expect(createNativeError('CUDA_INVALID_VALUE', 'copy: invalid.').message).toBe('copy: invalid.');
  });

  test.each(['INVALID_DESCRIPTOR', 'UNSUPPORTED_DTYPE', 'CUDA_NOT_COMPILED'])('makes a NativeError of %s', (code) => {
    const error = createNativeError(code, 'text');
    expect(error).toBeInstanceOf(NativeError);
    expect(error.code).toBe(code);
    expect(LimenError.isInstance(error)).toBe(true);
  });
});
