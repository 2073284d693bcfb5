// Public exports of @limen/cuda-kernels.

export { type Device, cudaUnavailableReason, listDevices, requireDevice } from './device.js';
export { CudaError, type CudaErrorKind, classifyCudaCode } from './errors/cuda-error.js';
export { DeviceNotAvailableError } from './errors/device-not-available-error.js';
export { DisposedError } from './errors/disposed-error.js';
export { LimenError } from './errors/limen-error.js';
export { NativeError } from './errors/native-error.js';
export { NativeLoadError } from './errors/native-load-error.js';
export { Event } from './event.js';
export { explainLoadFailure } from './explain-load-failure.js';
export { type GpuStatus, gpuStatus, type GpuStatusReading } from './gpu-status.js';
export { Graph, GraphExecutable } from './graph.js';
export { loadNative, requireNative } from './load-native.js';
export { DeviceBuffer, PinnedBuffer } from './memory.js';
export type { LoadAttempt, NativeLoad } from './native-load.js';
export type * from './native-types.js';
export { type RawOpCall, listOps, opWorkspaceBytes, runOp } from './run-op.js';
export { Stream } from './stream.js';
