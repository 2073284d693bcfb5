// An order of work beside the one that ops use, for transfers that must not hold anything up.

import type { DeviceName } from '../device.js';
import type { Tensor } from '../tensor.js';

/** Host memory for transfers: page-locked where the device is a GPU, so that copies run at the speed of the link. */
export interface HostBuffer extends Disposable {
  readonly byteLength: number;
  /** Whether the memory is page-locked. */
  readonly pinned: boolean;
  /**
   * The memory itself.
   * @throws {DisposedError} it was given back
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Work on a device that runs in its own order, beside the ops. On the CPU everything runs at the call.
 *
 * A tensor that is used here must live until `reached()` has resolved, as memory is given back in the order of the ops.
 * Nothing may be enqueued while a capture is under way.
 */
export interface SideStream extends Disposable {
  readonly device: DeviceName;
  /** Lets what is enqueued here from now on wait for every op called so far. */
  followOps(): void;
  /** Lets every op called from now on wait for what was enqueued here so far. */
  holdOps(): void;
  /**
   * Enqueues here what `work` calls: ops that are given their outputs and need no scratch memory.
   * @throws {CaptureViolationError} a capture is under way
   * @throws {InvalidArgumentError} `work` takes device memory
   */
  run(work: () => void): void;
  /**
   * Enqueues a copy into a contiguous tensor. `source` lies in a {@link HostBuffer} and stays as it is until the copy
   * has run.
   * @throws {CaptureViolationError} a capture is under way
   * @throws {ShapeMismatchError} the sizes differ, or the tensor has gaps
   */
  upload(tensor: Tensor, source: Uint8Array<ArrayBuffer>): void;
  /**
   * Enqueues a copy of a contiguous tensor into a {@link HostBuffer}.
   * @throws {CaptureViolationError} a capture is under way
   * @throws {ShapeMismatchError} the sizes differ, or the tensor has gaps
   */
  download(tensor: Tensor, target: Uint8Array<ArrayBuffer>): void;
  /** Resolves when everything enqueued here so far has run; promises of one stream resolve in order. */
  reached(): Promise<void>;
}
