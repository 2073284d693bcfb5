// Registered kernels by name. Tensors, shapes and checks are the business of @limen/tensor; here a call is addresses.

import { NativeError } from './errors/native-error.js';
import { requireNative } from './load-native.js';
import type { NativeBinding, NativeOp, TensorDescriptors } from './native-types.js';

/** One call of a kernel. */
export interface RawOpCall {
  /** Device index and stream handle; a CPU kernel ignores both. */
  readonly device?: number;
  readonly stream?: number;
  readonly tensorCount: number;
  readonly descriptors: TensorDescriptors;
  readonly attributes: Float64Array;
  /** Scratch memory: its address, aligned to 256 bytes, and its size. */
  readonly workspace?: number;
  readonly workspaceBytes?: number;
}

type Backend = NativeOp['backend'];

const tables = new WeakMap<NativeBinding, ReadonlyMap<string, number>>();

/** Every kernel that is linked into the addon. */
export function listOps(): readonly NativeOp[] {
  return requireNative().ops();
}

/**
 * Runs a kernel, or enqueues it on a stream.
 *
 * @param name - as its file: `rms_norm`
 * @throws {NativeError} `UNKNOWN_OP`, `INVALID_DESCRIPTOR` and what the kernel refuses
 * @throws {CudaError} the launch failed
 */
export function runOp(name: string, backend: Backend, call: RawOpCall): void {
  const binding = requireNative();
  const { device = 0, stream = 0, tensorCount, descriptors, attributes, workspace = 0, workspaceBytes = 0 } = call;
  binding.runOp(
    indexOf(binding, name, backend),
    device,
    stream,
    tensorCount,
    descriptors,
    attributes,
    workspace,
    workspaceBytes,
  );
}

/** Bytes of scratch memory that a call needs; 0 for most kernels. */
export function opWorkspaceBytes(name: string, backend: Backend, call: RawOpCall): number {
  const binding = requireNative();
  return binding.opWorkspace(indexOf(binding, name, backend), call.tensorCount, call.descriptors, call.attributes);
}

function indexOf(binding: NativeBinding, name: string, backend: Backend): number {
  let table = tables.get(binding);
  if (table === undefined) {
    table = new Map(binding.ops().map((op, index) => [`${op.backend}:${op.name}`, index]));
    tables.set(binding, table);
  }
  const index = table.get(`${backend}:${name}`);
  if (index !== undefined) return index;
  const known = [...table.keys()].filter((key) => key.startsWith(backend)).map((key) => key.slice(backend.length + 1));
  const text = `runOp: ${name} is not a ${backend} kernel of this addon: expected one of ${known.sort().join(', ') || '(none)'}, got ${name}. Check the spelling, or build the addon again.`;
  throw new NativeError('UNKNOWN_OP', text, { name, backend });
}
