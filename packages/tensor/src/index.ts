// Public exports of @limen/tensor.

export { DeviceNotAvailableError, DisposedError, LimenError } from '@limen/cuda-kernels';
export type { AttributeValue, Recording } from './backends/backend.js';
export type { MemoryStatistics } from './backends/device-memory-pool.js';
export { empty, fromArray, fromBytes, type TensorOptions, wrapBytes, zeros } from './create.js';
export { type AnyOp, defineOp, type Op, type OpOptions } from './define-op.js';
export { describeTensor } from './describe.js';
export { type DeviceName, parseDevice } from './device.js';
export { bytesOf, type DType, dtypes, isDType, isFloat, type RawArray, type ValueArray } from './dtype.js';
export { CaptureViolationError } from './errors/capture-violation-error.js';
export { DeviceMismatchError } from './errors/device-mismatch-error.js';
export { InvalidArgumentError } from './errors/invalid-argument-error.js';
export { LayoutError } from './errors/layout-error.js';
export { OutOfMemoryError } from './errors/out-of-memory-error.js';
export { ShapeMismatchError } from './errors/shape-mismatch-error.js';
export { UnknownDeviceError } from './errors/unknown-device-error.js';
export { UnsupportedDTypeError } from './errors/unsupported-dtype-error.js';
export { UnsupportedOpError } from './errors/unsupported-op-error.js';
export { memoryStatistics, setMemoryBudget, trimMemory } from './memory.js';
export { choice, type HostArray, type Layout, type OpDeclaration, type Sizes } from './op-declaration.js';
export { setOpLog } from './op-log.js';
export * from './ops/index.js';
export { record } from './record.js';
export { Scope, scoped } from './scope.js';
export { type LeakReportEntry, leakReport, trackLeaks } from './storage.js';
export { Tensor } from './tensor.js';
export { contiguous, read, readBytes, synchronize, toDevice, write } from './transfer.js';
