// What a device must be able to do. Two implementations: cpu-backend.ts and cuda-backend.ts.

import type { DeviceName } from '../device.js';
import type { AttributeValue, OpDeclaration } from '../op-declaration.js';
import type { Allocation } from '../storage.js';
import type { Tensor } from '../tensor.js';
import type { RecordingPool } from './recording-arena.js';
import type { HostBuffer, SideStream } from './side-stream.js';

/** One checked call: every tensor in declaration order, inputs then outputs; null for an optional one not given. */
export interface PreparedCall {
  readonly declaration: OpDeclaration;
  readonly tensors: readonly (Tensor | null)[];
  /** Attribute values in declaration order, as they were given. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** The same as numbers: booleans 0 or 1, choices their index. */
  readonly packedAttributes: Float64Array;
}

/** Ops that were recorded instead of run, ready to run again on the same memory. */
export interface Recording extends Disposable {
  /** Ops (CPU) or graph nodes (CUDA) in it. */
  readonly nodeCount: number;
  /** Bytes of the memory that was taken while it was made. Recordings of one pool may count the same block. */
  readonly privateBytes: number;
  /** Bytes that the driver took for the recording itself, as far as they can be seen; 0 on the CPU. */
  readonly driverBytes: number;
  /**
   * Runs everything again, in order. On CUDA returns at once; inside `SideStream.run` it is enqueued there. Recordings
   * that share a pool must all replay on one stream, or be ordered by events.
   */
  replay(): void;
}

/** Memory and execution of one device. */
export interface Backend {
  readonly device: DeviceName;
  readonly isRecording: boolean;

  /** Memory with undefined contents. In stream order: it may still be in use by earlier work, never by later. */
  allocate(byteLength: number): Allocation;
  /** Sets every byte, in order with the ops. */
  fill(tensor: Tensor, byteValue: number): void;
  /** Copies host bytes into a contiguous tensor; `source` may be reused on return. Not during a recording. */
  upload(tensor: Tensor, source: Uint8Array): void;
  /** Waits for the work before and copies a contiguous tensor's bytes out. Not during a recording. */
  download(tensor: Tensor): Promise<Uint8Array<ArrayBuffer>>;
  /** Runs or enqueues an op, or records it. */
  run(call: PreparedCall): void;
  /** Resolves when everything enqueued so far has run. */
  synchronize(): Promise<void>;
  /** An order of work beside the one that `run` uses. */
  openSideStream(): SideStream;
  /** Host memory that copies of a side stream start and end in. */
  allocateHost(byteLength: number): HostBuffer;

  /** Memory for recordings that never replay at the same time. */
  openRecordingPool(): RecordingPool;
  /**
   * From here on, ops are recorded and not run, until `endRecording` or `abortRecording`.
   * @param pool - of this device; default: memory of its own
   */
  beginRecording(pool?: RecordingPool): void;
  /** Within a recording: what `work` allocates is used by no other recording of the pool. Elsewhere: just `work`. */
  keepApart<Result>(work: () => Result): Result;
  endRecording(): Recording;
  /** Drops what was recorded; the device is usable as before. */
  abortRecording(): void;
}
