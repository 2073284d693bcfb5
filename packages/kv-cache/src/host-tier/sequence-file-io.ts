// Writes and reads sequence files as streams of bytes: never more than a block of them is in memory at once.

import { createHash, type Hash, randomUUID } from 'node:crypto';
import { constants, type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import { CacheFileError } from '../errors/cache-file-error.js';
import {
  decodeHeader,
  digestBytes,
  headerLength,
  prefixBytes,
  type SequenceFileHeader,
} from './sequence-file-format.js';

/** Bytes hashed, read or written in one go: about a millisecond, after which the event loop has its turn. */
const blockBytes = 2 * 2 ** 20;

/** A file that is being written. Under its final name it appears complete, or not at all. */
export class SequenceFileWriter {
  readonly #path: string;
  readonly #partialPath: string;
  readonly #file: FileHandle;
  readonly #hash = createHash('sha256');

  private constructor(path: string, partialPath: string, file: FileHandle) {
    this.#path = path;
    this.#partialPath = partialPath;
    this.#file = file;
  }

  /** @throws {CacheFileError} `CACHE_FILE_NOT_WRITTEN` */
  static async create(path: string): Promise<SequenceFileWriter> {
    const partialPath = `${path}.${randomUUID()}.partial`;
    try {
      return new SequenceFileWriter(path, partialPath, await open(partialPath, 'wx', 0o600));
    } catch (cause) {
      throw notWritten(path, cause);
    }
  }

  /** @throws {CacheFileError} `CACHE_FILE_NOT_WRITTEN` */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; at += blockBytes) {
      const block = bytes.subarray(at, at + blockBytes);
      this.#hash.update(block);
      await this.#put(block);
    }
  }

  /** Writes the checksum and gives the file its name. */
  async finish(): Promise<void> {
    await this.#put(this.#hash.digest());
    try {
      await this.#file.sync();
      await this.#file.close();
      await rename(this.#partialPath, this.#path);
      await syncFolder(dirname(this.#path));
    } catch (cause) {
      throw notWritten(this.#path, cause);
    }
  }

  /** Removes what was written so far. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await unlink(this.#partialPath).catch(() => undefined);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.byteLength;) {
        done += (await this.#file.write(bytes, done, bytes.byteLength - done)).bytesWritten;
      }
    } catch (cause) {
      throw notWritten(this.#path, cause);
    }
  }
}

/** An open file whose header has been checked. */
export class SequenceFileReader {
  readonly header: SequenceFileHeader;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #payloadStart: number;
  #hash: Hash = createHash('sha256');
  #position = 0;

  private constructor(path: string, file: FileHandle, size: number, header: SequenceFileHeader) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.header = header;
    this.#payloadStart = size - digestBytes - header.payloadBytes;
  }

  /**
   * Opens a file and checks everything but its checksum.
   * @throws {CacheFileError} the file cannot be read, or is not a whole sequence file of a known version
   */
  static async open(path: string): Promise<SequenceFileReader> {
    const file = await openForReading(path);
    try {
      const status = await file.stat();
      if (!status.isFile()) throw new CacheFileError('CACHE_FILE_UNREADABLE', path, 'path is not a file');
      const { size } = status;
      const start = new Uint8Array(Math.min(prefixBytes, size));
      await readFully(file, start, 0, path);
      const bytes = new Uint8Array(headerLength(start, size, path));
      await readFully(file, bytes, prefixBytes, path);
      return new SequenceFileReader(path, file, size, decodeHeader(bytes, size, path));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Reads the whole file once and compares its checksum.
   * @param onBytes - told of the payload bytes read so far
   * @throws {CacheFileError} `CACHE_FILE_DAMAGED`
   */
  async verify(onBytes: (bytes: number) => void): Promise<void> {
    await this.rewind();
    const block = new Uint8Array(Math.min(blockBytes, this.header.payloadBytes));
    for (let done = 0; done < this.header.payloadBytes; done += block.byteLength) {
      await this.read(block.subarray(0, this.header.payloadBytes - done));
      onBytes(Math.min(this.header.payloadBytes, done + block.byteLength));
    }
    await this.#compare('CACHE_FILE_DAMAGED', 'file is damaged: its content does not match its checksum');
  }

  /** Goes to the start of the payload. */
  async rewind(): Promise<void> {
    const head = new Uint8Array(this.#payloadStart);
    await readFully(this.#file, head, 0, this.#path);
    this.#hash = createHash('sha256').update(head);
    this.#position = this.#payloadStart;
  }

  /** Fills `target` with the next bytes of the payload. */
  async read(target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.byteLength; at += blockBytes) {
      const block = target.subarray(at, at + blockBytes);
      await readFully(this.#file, block, this.#position, this.#path);
      this.#hash.update(block);
      this.#position += block.byteLength;
    }
  }

  /**
   * Checks, at the end of the payload, that what was read is what had been verified.
   * @throws {CacheFileError} `CACHE_FILE_CHANGED`
   */
  finish(): Promise<void> {
    return this.#compare('CACHE_FILE_CHANGED', 'file changed while it was read');
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #compare(code: 'CACHE_FILE_DAMAGED' | 'CACHE_FILE_CHANGED', problem: string): Promise<void> {
    const expected = new Uint8Array(digestBytes);
    await readFully(this.#file, expected, this.#size - digestBytes, this.#path);
    if (Buffer.compare(this.#hash.digest(), expected) !== 0) throw new CacheFileError(code, this.#path, problem);
  }
}

/**
 * What a sequence file says about itself, its metadata included. The checksum is not compared.
 * @throws {CacheFileError} the file cannot be read, or is not a whole sequence file of a known version
 */
export async function describeSequenceFile(path: string): Promise<SequenceFileHeader> {
  const reader = await SequenceFileReader.open(path);
  await reader.close();
  return reader.header;
}

async function openForReading(path: string): Promise<FileHandle> {
  try {
    // Opening a pipe would wait for its other end.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function readFully(file: FileHandle, target: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < target.byteLength;) {
    const part = await file.read(target, done, target.byteLength - done, position + done).catch((cause: unknown) => {
      throw unreadable(path, cause);
    });
    if (part.bytesRead === 0) {
      throw new CacheFileError(
        'CACHE_FILE_CHANGED',
        path,
        `file became shorter while it was read: got ${position + done} bytes`,
      );
    }
    done += part.bytesRead;
  }
}

/** Makes the new name durable, where the file system can. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close().catch(() => undefined);
}

function unreadable(path: string, cause: unknown): CacheFileError {
  return new CacheFileError('CACHE_FILE_UNREADABLE', path, `file cannot be read: ${reasonOf(cause)}`, {}, { cause });
}

function notWritten(path: string, cause: unknown): CacheFileError {
  return new CacheFileError(
    'CACHE_FILE_NOT_WRITTEN',
    path,
    `file cannot be written: ${reasonOf(cause)}`,
    {},
    { cause },
  );
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
