// Random access to a file's bytes: through a memory map where one is offered, else by positioned reads, so that a large
// file is never in memory as a whole.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

import { loadNative } from '@limen/cuda-kernels';

import { CheckpointError } from '../errors/checkpoint-error.js';

/** An open file. */
export interface ByteFile {
  readonly path: string;
  readonly size: number;
  /** Bytes `[offset, offset + length)`; a view of the map, or a fresh copy. The caller has checked the range. */
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

/** How files are opened. */
export interface ByteFileOptions {
  /**
   * Maps a file, or `bytes` of it from `offset`, read-only, as the native binding's `mapFile` does. Where it throws, the
   * bytes are read instead. A mapped file must not be cut short while it is in use. Default: the native addon's, where
   * it is loaded; `null` reads.
   */
  readonly mapFile?: ((path: string, offset?: number, bytes?: number) => ArrayBuffer) | null;
}

// Node refuses single reads of 2 GiB and more.
const largestRead = 1 << 30;

// Below this a mapping costs more than a read.
const smallestMap = 1 << 20;

// Node 20 holds 4 GiB in one ArrayBuffer: larger files are mapped in windows that overlap by half, so that every tensor
// of up to half a window lies in one. Few and large, because V8 counts a mapping as memory that a collection might win
// back, and collects after each: a mapping for every tensor would cost seconds.
const windowStride = 1.75 * 2 ** 30;

/** Opens `path`; throws what `node:fs` throws. */
export function openByteFile(path: string, options: ByteFileOptions = {}): ByteFile {
  const mapFile = options.mapFile === undefined ? loadNative().binding?.mapFile : options.mapFile;
  const mapped = mapFile ? attempt(() => mapFile(path)) : undefined;
  if (mapped !== undefined) {
    return {
      path,
      size: mapped.byteLength,
      read: (offset, length) => new Uint8Array(mapped, offset, length),
      close() {},
    };
  }
  const descriptor = openSync(path, 'r');
  const { size } = fstatSync(descriptor);
  const windows = new Map<number, ArrayBuffer | undefined>();
  const map = (offset: number, bytes: number) => {
    const part = mapFile ? attempt(() => mapFile(path, offset, bytes)) : undefined;
    return part?.byteLength === bytes ? part : undefined;
  };
  /** A view through a window, or through a mapping of its own; undefined where neither can be made. */
  const mappedView = (offset: number, length: number): Uint8Array | undefined => {
    if (length < smallestMap) return undefined;
    const start = length > windowStride ? offset : Math.floor(offset / windowStride) * windowStride;
    let window = windows.get(start);
    if (length > windowStride) window = map(offset, length);
    else if (!windows.has(start)) {
      window = map(start, Math.min(2 * windowStride, size - start));
      windows.set(start, window);
    }
    return window && new Uint8Array(window, offset - start, length);
  };
  let open = true;
  return {
    path,
    size,
    read(offset, length) {
      const view = mappedView(offset, length);
      if (view !== undefined) return view;
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const count = readSync(descriptor, bytes, done, Math.min(length - done, largestRead), offset + done);
        if (count === 0) {
          throw new CheckpointError(
            'CHECKPOINT_FILE_CHANGED',
            `${path}: file became shorter while it was read: expected ${length} bytes at ${offset}, got ${done}. Load it again.`,
            { file: path },
          );
        }
        done += count;
      }
      return bytes;
    },
    close() {
      if (open) closeSync(descriptor);
      open = false;
      windows.clear();
    },
  };
}

// Empty files cannot be mapped, and others not on every machine; reading gives the same bytes.
function attempt(map: () => ArrayBuffer): ArrayBuffer | undefined {
  try {
    return map();
  } catch {
    return undefined;
  }
}
