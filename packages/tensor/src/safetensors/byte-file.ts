// Random access to a file's bytes: through a memory map where one is offered, else by positioned reads, so that a large
// file is never in memory as a whole.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

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
  /** Maps a file read-only, as the native binding's `mapFile` does. Default: positioned reads. */
  readonly mapFile?: (path: string) => ArrayBuffer;
}

// Node refuses single reads of 2 GiB and more.
const largestRead = 1 << 30;

/** Opens `path`; throws what `node:fs` throws. */
export function openByteFile(path: string, options: ByteFileOptions = {}): ByteFile {
  const mapped = options.mapFile === undefined ? undefined : tryMap(options.mapFile, path);
  if (mapped !== undefined) {
    return {
      path,
      size: mapped.byteLength,
      read: (offset, length) => new Uint8Array(mapped, offset, length),
      close() {},
    };
  }
  const descriptor = openSync(path, 'r');
  let open = true;
  return {
    path,
    size: fstatSync(descriptor).size,
    read(offset, length) {
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
    },
  };
}

// Empty files cannot be mapped, and the largest not on every machine; reading them piece by piece gives the same bytes.
function tryMap(mapFile: (path: string) => ArrayBuffer, path: string): ArrayBuffer | undefined {
  try {
    return mapFile(path);
  } catch {
    return undefined;
  }
}
