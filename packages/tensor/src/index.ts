// Public exports of @limen/tensor.

export { DeviceNotAvailableError, DisposedError, LimenError } from '@limen/cuda-kernels';
export type { Recording } from './backends/backend.js';
export { nativeCpuKernels } from './backends/backends.js';
export type { MemoryStatistics } from './backends/device-memory-pool.js';
export type { RecordingPool } from './backends/recording-arena.js';
export type { HostBuffer, SideStream } from './backends/side-stream.js';
export { empty, fromArray, fromBytes, type TensorOptions, wrapBytes, zeros } from './create.js';
export { computeCapability } from './compute-capability.js';
export { type AnyOp, defineOp, type Op, type OpOptions } from './define-op.js';
export { describeTensor } from './describe.js';
export { type DeviceName, parseDevice } from './device.js';
export { bytesOf, type DType, dtypes, isDType, isFloat, type RawArray, rawView, type ValueArray } from './dtype.js';
export { CaptureViolationError } from './errors/capture-violation-error.js';
export { DeviceMismatchError } from './errors/device-mismatch-error.js';
export { InvalidArgumentError } from './errors/invalid-argument-error.js';
export { LayoutError } from './errors/layout-error.js';
export { OutOfMemoryError } from './errors/out-of-memory-error.js';
export { ShapeMismatchError } from './errors/shape-mismatch-error.js';
export { UnknownDeviceError } from './errors/unknown-device-error.js';
export { UnsupportedDTypeError } from './errors/unsupported-dtype-error.js';
export { UnsupportedOpError } from './errors/unsupported-op-error.js';
export { rawValues } from './host-arrays.js';
export { freeMemory, memoryStatistics, setMemoryBudget, trimMemory } from './memory.js';
export { fromFloat16Bits, fromFloat8Bits, toFloat16Bits, toFloat8Bits } from './number-formats.js';
export {
  type AttributeValue,
  choice,
  type ContractProblem,
  type HostArray,
  type Layout,
  type OpDeclaration,
  type Sizes,
} from './op-declaration.js';
export { setOpLog } from './op-log.js';
export * from './ops/index.js';
export { keepApart, openRecordingPool, record, type RecordOptions } from './record.js';
export { checkRotary, rotaryAngle } from './rotary.js';
export { Scope, scoped } from './scope.js';
export { allocateHostBuffer, openSideStream, requireNoCapture } from './side-stream.js';
export { type LeakReportEntry, leakReport, trackLeaks } from './storage.js';
export { streamHandle } from './stream-handle.js';
export { Tensor } from './tensor.js';
export { contiguous, read, readBytes, synchronize, toDevice, write } from './transfer.js';
export { CheckpointError, type CheckpointErrorCode } from './errors/checkpoint-error.js';
export { SafetensorsError, type SafetensorsErrorCode } from './errors/safetensors-error.js';
export { type ByteFile, type ByteFileOptions, openByteFile } from './safetensors/byte-file.js';
export { type CheckpointOptions, openCheckpoint } from './safetensors/checkpoint.js';
export { openSafetensors, type SafetensorsFile } from './safetensors/safetensors-file.js';
export { parseStrictJson, type StrictJsonProblem, type StrictJsonResult } from './safetensors/strict-json.js';
export {
  type StoredDType,
  storedBytesOf,
  type StoredTensorInfo,
  type TensorSource,
} from './safetensors/tensor-source.js';
export { type TensorToStore, writeSafetensors } from './safetensors/write-safetensors.js';
