// Writes a safetensors file that every reader of the format accepts.

import { closeSync, openSync, writeSync } from 'node:fs';

import { SafetensorsError } from '../errors/safetensors-error.js';
import { safetensorsDTypeName } from './header.js';
import { storedBytesOf, type StoredDType } from './tensor-source.js';

/** A tensor to be written: little-endian row-major bytes. */
export interface TensorToStore {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * Writes tensors in the order given.
 *
 * @param tensors - name → tensor
 * @param metadata - strings stored under `__metadata__`
 * @throws {SafetensorsError} a tensor's bytes do not fill its shape, or a name is reserved
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorToStore>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let position = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    const expected = shape.reduce((product, extent) => product * extent, storedBytesOf(dtype));
    if (name === '__metadata__') {
      throw new SafetensorsError(
        'SAFETENSORS_ENTRY_INVALID',
        `${path}: "__metadata__" is reserved and cannot name a tensor.`,
      );
    }
    if (bytes.byteLength !== expected) {
      throw new SafetensorsError(
        'SAFETENSORS_SIZE_MISMATCH',
        `${path}: tensor "${name}" has the wrong size: expected ${expected} bytes for ${dtype}[${shape.join(', ')}], got ${bytes.byteLength}.`,
        { file: path, tensor: name, expected, got: bytes.byteLength },
      );
    }
    Object.defineProperty(header, name, {
      value: { dtype: safetensorsDTypeName(dtype), shape, data_offsets: [position, position + expected] },
      enumerable: true,
    });
    position += expected;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // Spaces pad the header so that the data begins at a multiple of 8, which keeps mapped f32 tensors aligned.
  const padded = new Uint8Array(Math.ceil(json.byteLength / 8) * 8).fill(0x20);
  padded.set(json);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.byteLength), true);
  const descriptor = openSync(path, 'w');
  try {
    for (const part of [length, padded, ...[...tensors.values()].map((tensor) => tensor.bytes)]) {
      for (let done = 0; done < part.byteLength;) done += writeSync(descriptor, part, done);
    }
  } finally {
    closeSync(descriptor);
  }
}
