// Opens one safetensors file: the header is read and checked at once, tensors when they are asked for.

import { isDType } from '../dtype.js';
import { SafetensorsError } from '../errors/safetensors-error.js';
import { openByteFile, type ByteFile, type ByteFileOptions } from './byte-file.js';
import { parseSafetensorsHeader, safetensorsHeaderLength } from './header.js';
import type { TensorSource } from './tensor-source.js';

/** An open safetensors file. */
export interface SafetensorsFile extends TensorSource {
  /** The strings under `__metadata__`; empty when there are none. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Opens a safetensors file and checks its header.
 *
 * @param options.mapFile - maps a file read-only; default: each tensor is read from disk when asked for
 * @returns the tensors; the caller closes it
 * @throws {SafetensorsError} the file cannot be read or breaks a rule of the format
 */
export function openSafetensors(path: string, options: ByteFileOptions = {}): SafetensorsFile {
  const unreadable = (error: unknown): SafetensorsError => {
    const reason = error instanceof Error ? error.message : String(error);
    const text = `${path}: cannot be read: ${reason}.`;
    return new SafetensorsError('SAFETENSORS_FILE_UNREADABLE', text, { file: path }, { cause: error });
  };
  let file: ByteFile;
  try {
    file = openByteFile(path, options);
  } catch (error) {
    throw unreadable(error);
  }
  try {
    const length = safetensorsHeaderLength(file.read(0, Math.min(8, file.size)), file.size, path);
    const { tensors, metadata } = parseSafetensorsHeader(file.read(8, length), 8 + length, file.size, path);
    return createSource(file, tensors, metadata);
  } catch (error) {
    file.close();
    throw SafetensorsError.isInstance(error) ? error : unreadable(error);
  }
}

function createSource(
  file: ByteFile,
  tensors: ReturnType<typeof parseSafetensorsHeader>['tensors'],
  metadata: Readonly<Record<string, string>>,
): SafetensorsFile {
  let open = true;
  const close = () => {
    open = false;
    file.close();
  };
  const info = (name: string) => {
    const found = tensors.get(name);
    if (found !== undefined) return found;
    throw new SafetensorsError(
      'SAFETENSORS_TENSOR_NOT_FOUND',
      `${file.path}: tensor not found: expected one of ${tensors.size} names, got "${name}".`,
      { file: file.path, tensor: name },
    );
  };
  return {
    metadata,
    names: () => [...tensors.keys()],
    has: (name) => tensors.has(name),
    info,
    bytes(name) {
      const { dtype, byteOffset, byteLength } = info(name);
      if (!isDType(dtype)) {
        throw new SafetensorsError(
          'SAFETENSORS_DTYPE_NOT_SUPPORTED',
          `${file.path}: tensor "${name}" has a dtype that cannot be computed with: got ${dtype}. Convert it to f32, f16 or bf16.`,
          { file: file.path, tensor: name, dtype },
        );
      }
      if (!open) {
        throw new SafetensorsError('SAFETENSORS_CLOSED', `${file.path}: file is closed. Read tensors before close().`, {
          file: file.path,
          tensor: name,
        });
      }
      return file.read(byteOffset, byteLength);
    },
    close,
    [Symbol.dispose]: close,
  };
}
