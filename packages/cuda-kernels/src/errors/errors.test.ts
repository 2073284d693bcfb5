// Codes and texts of the errors that need no device: every code says what to do.

import { afterEach, describe, expect, test, vi } from 'vitest';

import { CudaError } from './cuda-error.js';
import { DeviceNotAvailableError } from './device-not-available-error.js';
import { DisposedError } from './disposed-error.js';
import { LimenError } from './limen-error.js';
import { NativeError } from './native-error.js';

afterEach(() => {
  vi.unstubAllEnvs();
  vi.resetModules();
});

describe('NativeLoadError', () => {
  test('has the code NATIVE_NOT_LOADED, what was tried, and a command', async () => {
    vi.resetModules();
    vi.stubEnv('LIMEN_NATIVE_PATH', '/no/such/limen.node');
    const { requireNative } = await import('../load-native.js');
    let thrown: unknown;
    try {
      requireNative();
    } catch (error) {
      thrown = error;
    }
    expect(LimenError.isInstance(thrown)).toBe(true);
    expect(thrown).toMatchObject({
      name: 'NativeLoadError',
      code: 'NATIVE_NOT_LOADED',
      attempts: [{ path: '/no/such/limen.node', outcome: 'missing' }],
    });
    expect(String(thrown)).toContain('/no/such/limen.node');
    expect(String(thrown)).toMatch(/LIMEN_NATIVE_PATH|build-native/);
  });
});

describe('NativeError', () => {
  test.each([
    ['FILE_NOT_MAPPED', 'Check the path and its permissions.'],
    ['INVALID_ARGUMENT', 'Correct the call; nothing was done.'],
    ['INVALID_DESCRIPTOR', 'Correct how the tensors were packed; nothing was done.'],
    ['SHAPE_MISMATCH', 'Pass tensors of the sizes that the op declares.'],
    ['UNSUPPORTED_DTYPE', 'Convert the tensor, or use an op for its type.'],
  ])('with the code %s adds what to do, once', (code, advice) => {
    expect(new NativeError(code, 'op: x is wrong.').message).toBe(`op: x is wrong. ${advice}`);
    expect(new NativeError(code, `op: x is wrong. ${advice}`).message).toBe(`op: x is wrong. ${advice}`);
  });
});

describe('CudaError', () => {
  test.each([
    'CUDA_ASSERT',
    'CUDA_CONTEXT_IS_DESTROYED',
    'CUDA_DEVICE_UNINITIALIZED',
    'CUDA_EXTERNAL_DEVICE',
    'CUDA_HARDWARE_STACK_ERROR',
    'CUDA_ILLEGAL_INSTRUCTION',
    'CUDA_INVALID_ADDRESS_SPACE',
    'CUDA_INVALID_PC',
    'CUDA_LAUNCH_TIMEOUT',
    'CUDA_MISALIGNED_ADDRESS',
    'CUDA_NVLINK_UNCORRECTABLE',
    'CUDA_UNKNOWN',
  ])('%s says that only a new process helps', (code) => {
    const error = new CudaError(code, 'linear: failed.');
    expect(error).toMatchObject({ code, kind: 'sticky', isSticky: true, details: { kind: 'sticky' } });
    expect(error.message).toBe(
      'linear: failed. The CUDA context of this process is lost: end the process and start a new one.',
    );
  });

  test.each(['CUDA_MEMORY_ALLOCATION', 'CUDA_SYSTEM_NOT_READY', 'CUDA_NOT_READY'])('%s may succeed later', (code) => {
    expect(new CudaError(code, 'allocate: failed.')).toMatchObject({ kind: 'retryable', isSticky: false });
  });

  test.each([
    'CUDA_INSUFFICIENT_DRIVER',
    'CUDA_NO_DEVICE',
    'CUDA_STREAM_CAPTURE_INVALIDATED',
    'CUDA_STREAM_CAPTURE_UNSUPPORTED',
  ])('%s names the usual way out', (code) => {
    expect(new CudaError(code, 'op: failed.').message).toMatch(/^op: failed\. [A-Z].{20,}\.$/);
  });
});

describe('DeviceNotAvailableError', () => {
  test('names device and reason, as text and as data', () => {
    const error = new DeviceNotAvailableError('cuda:1', 'this machine has 1 CUDA device(s).', { deviceCount: 1 });
    expect(error.code).toBe('DEVICE_NOT_AVAILABLE');
    expect(error.details).toEqual({ device: 'cuda:1', reason: 'this machine has 1 CUDA device(s).', deviceCount: 1 });
    expect(error.message).toMatch(
      /^cuda:1 is not available: this machine .+ Run `limen doctor` for details, or use device 'cpu'\.$/,
    );
  });
});

describe('DisposedError', () => {
  test('names what was disposed, what was done with it, and how to keep it', () => {
    const error = new DisposedError('stream on cuda:0', 'waited for');
    expect(error.code).toBe('DISPOSED');
    expect(error.message).toMatch(
      /^stream on cuda:0 was waited for after it had been disposed\. Keep it alive .+, or clone it\.$/,
    );
  });
});
