// Opens a `.bin` checkpoint of torch.save as a TensorSource, running none of what a pickle could run.

import { isDType, LimenError, openByteFile, storedBytesOf } from '@limen/tensor';
import type { ByteFile, ByteFileOptions, StoredTensorInfo, TensorSource } from '@limen/tensor';

import { TorchFileError, type TorchFileErrorCode } from '../../errors/torch-file-error.js';
import { runPickle } from './pickle-machine.js';
import { PickleTensor, type PickleValue } from './pickle-values.js';
import { gatherView, isDense } from './rebuild-tensor.js';
import { readZipDirectory, type ZipEntry } from './zip-directory.js';

const largestPickleBytes = 64 * 2 ** 20;

interface StoredView {
  readonly tensor: PickleTensor;
  readonly storage: ZipEntry;
  readonly info: StoredTensorInfo;
}

/**
 * Opens a file that torch.save (1.6 or newer) wrote for a state dict.
 *
 * @param options.mapFile - maps a file read-only; default: each tensor is read from disk when asked for
 * @returns the tensors; strided views come out row-major; the caller closes it
 * @throws {UnsafePickleError} the pickle names a class or uses an opcode that tensors do not need
 * @throws {TorchFileError} the file is damaged or of another kind
 */
export function openTorchCheckpoint(path: string, options: ByteFileOptions = {}): TensorSource {
  const unreadable = (error: unknown): TorchFileError => {
    const reason = error instanceof Error ? error.message : String(error);
    return new TorchFileError(
      'TORCH_FILE_UNREADABLE',
      `${path}: cannot be read: ${reason}.`,
      { file: path },
      { cause: error },
    );
  };
  let file: ByteFile;
  try {
    file = openByteFile(path, options);
  } catch (error) {
    throw unreadable(error);
  }
  try {
    return createSource(file, readViews(file));
  } catch (error) {
    file.close();
    throw LimenError.isInstance(error) ? error : unreadable(error);
  }
}

function readViews(file: ByteFile): ReadonlyMap<string, StoredView> {
  const entries = readZipDirectory(file);
  // The archive's one folder has the name the file had when it was saved.
  const pickleName = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/u.test(name));
  const pickle = pickleName === undefined ? undefined : entries.get(pickleName);
  if (pickleName === undefined || pickle === undefined)
    return fail(file, 'TORCH_ENTRY_MISSING', 'archive holds no data.pkl');
  const folder = pickleName.slice(0, -'data.pkl'.length);
  const order = entries.get(`${folder}byteorder`);
  if (
    order !== undefined &&
    (order.size > 16 || new TextDecoder().decode(file.read(order.offset, order.size)).trim() !== 'little')
  ) {
    fail(file, 'TORCH_BIG_ENDIAN', 'archive is not little-endian. Save it again on a little-endian machine');
  }
  if (pickle.size > largestPickleBytes) {
    fail(
      file,
      'TORCH_PICKLE_TOO_LARGE',
      `pickle is too large: expected at most ${largestPickleBytes} bytes, got ${pickle.size}`,
    );
  }
  const root = runPickle(file.read(pickle.offset, pickle.size), file.path);
  const views = new Map<string, StoredView>();
  for (const [name, tensor] of stateDictionaryOf(file, root)) {
    const key = `${folder}data/${tensor.storage.key}`;
    const storage = entries.get(key);
    if (storage === undefined)
      return fail(file, 'TORCH_ENTRY_MISSING', `storage of "${name}" is missing: expected the entry ${key}`);
    views.set(name, describeView(file, name, tensor, storage));
  }
  return views;
}

function stateDictionaryOf(file: ByteFile, root: PickleValue): ReadonlyMap<string, PickleTensor> {
  // Training scripts often wrap the weights: { "state_dict": weights, ... }.
  const wrapped = root instanceof Map ? root.get('state_dict') : undefined;
  const dictionary = wrapped instanceof Map ? wrapped : root;
  if (!(dictionary instanceof Map))
    return fail(file, 'TORCH_NOT_A_STATE_DICT', 'pickle is no dictionary: expected names and tensors');
  const tensors = new Map<string, PickleTensor>();
  for (const [name, value] of dictionary) {
    if (typeof name !== 'string' || !(value instanceof PickleTensor)) {
      return fail(file, 'TORCH_NOT_A_STATE_DICT', `"${name}" is no tensor: expected names and tensors`);
    }
    tensors.set(name, value);
  }
  return tensors;
}

function describeView(file: ByteFile, name: string, tensor: PickleTensor, storage: ZipEntry): StoredView {
  const elementBytes = storedBytesOf(tensor.storage.dtype);
  if (storage.size !== tensor.storage.elements * elementBytes) {
    const expected = tensor.storage.elements * elementBytes;
    fail(
      file,
      'TORCH_STORAGE_INVALID',
      `storage of "${name}" has the wrong size: expected ${expected} bytes, got ${storage.size}`,
    );
  }
  const byteLength = tensor.shape.reduce((product, extent) => product * extent, elementBytes);
  const byteOffset = storage.offset + tensor.offset * elementBytes;
  return {
    tensor,
    storage,
    info: Object.freeze({ dtype: tensor.storage.dtype, shape: tensor.shape, byteOffset, byteLength }),
  };
}

function createSource(file: ByteFile, views: ReadonlyMap<string, StoredView>): TensorSource {
  let open = true;
  const close = () => {
    open = false;
    file.close();
  };
  const find = (name: string): StoredView =>
    views.get(name) ??
    fail(file, 'TORCH_TENSOR_NOT_FOUND', `tensor not found: expected one of ${views.size} names, got "${name}"`);
  return {
    names: () => [...views.keys()],
    has: (name) => views.has(name),
    info: (name) => find(name).info,
    bytes(name) {
      const { tensor, storage, info } = find(name);
      if (!isDType(info.dtype)) {
        fail(
          file,
          'TORCH_DTYPE_NOT_SUPPORTED',
          `tensor "${name}" has a dtype that cannot be computed with: got ${info.dtype}`,
        );
      }
      if (!open) fail(file, 'TORCH_CLOSED', 'file is closed. Read tensors before close()');
      if (isDense(tensor)) return file.read(info.byteOffset, info.byteLength);
      return gatherView(tensor, file.read(storage.offset, storage.size), storedBytesOf(info.dtype));
    },
    close,
    [Symbol.dispose]: close,
  };
}

function fail(file: ByteFile, code: TorchFileErrorCode, problem: string): never {
  throw new TorchFileError(code, `${file.path}: ${problem}.`, { file: file.path });
}
