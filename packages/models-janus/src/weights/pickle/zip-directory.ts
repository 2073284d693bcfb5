// The directory of a zip archive whose entries are stored, not compressed: what torch.save writes since 1.6.
// Every number of the archive is checked against the file before it is used. Format: PKWARE APPNOTE 6.3.10.

import type { ByteFile } from '@limen/tensor';

import { TorchFileError } from '../../errors/torch-file-error.js';

/** Where an entry's bytes lie in the archive. */
export interface ZipEntry {
  readonly offset: number;
  readonly size: number;
}

const endRecordBytes = 22;
const largestComment = 0xffff;
const largestDirectoryBytes = 64 * 2 ** 20;

interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly count: number;
}

/**
 * Reads the names and places of all entries.
 *
 * @throws {TorchFileError} no zip archive, a damaged one, or one with compressed entries
 */
export function readZipDirectory(file: ByteFile): ReadonlyMap<string, ZipEntry> {
  const directory = findDirectory(file);
  const bytes = file.read(directory.offset, directory.size);
  const view = viewOf(bytes);
  const entries = new Map<string, ZipEntry>();
  let position = 0;
  for (let index = 0; index < directory.count; index++) {
    if (position + 46 > bytes.byteLength || view.getUint32(position, true) !== 0x02014b50)
      malformed(file, `entry ${index} is damaged`);
    const nameLength = view.getUint16(position + 28, true);
    const extraLength = view.getUint16(position + 30, true);
    const next = position + 46 + nameLength + extraLength + view.getUint16(position + 32, true);
    if (next > bytes.byteLength) malformed(file, `entry ${index} reaches beyond the directory`);
    const name = decodeName(file, bytes.subarray(position + 46, position + 46 + nameLength));
    if (entries.has(name)) malformed(file, `entry "${name}" occurs twice`);
    entries.set(name, readEntry(file, view, position, name, directory.offset));
    position = next;
  }
  if (position !== bytes.byteLength) malformed(file, 'directory has bytes after its last entry');
  checkOverlap(file, entries);
  return entries;
}

function readEntry(file: ByteFile, view: DataView, position: number, name: string, limit: number): ZipEntry {
  const flags = view.getUint16(position + 8, true);
  const method = view.getUint16(position + 10, true);
  if (method !== 0 || (flags & 1) !== 0) {
    const kind = method !== 0 ? `compressed by method ${method}` : 'encrypted';
    throw new TorchFileError(
      'TORCH_ZIP_COMPRESSED',
      `${file.path}: entry "${name}" is ${kind}: expected a stored one.`,
      { file: file.path },
    );
  }
  const nameLength = view.getUint16(position + 28, true);
  const extraStart = position + 46 + nameLength;
  const wide = new WideFields(view, extraStart, extraStart + view.getUint16(position + 30, true));
  // The order of the 64-bit values is fixed: size, stored size, offset; each only if its 32-bit field is all ones.
  const size = wide.or(view.getUint32(position + 24, true));
  const storedSize = wide.or(view.getUint32(position + 20, true));
  const headerOffset = wide.or(view.getUint32(position + 42, true));
  if (size !== storedSize) malformed(file, `entry "${name}" has two sizes: ${size} and ${storedSize}`);
  if (!(headerOffset + 30 <= limit)) malformed(file, `entry "${name}" begins outside the archive`);
  const header = viewOf(file.read(headerOffset, 30));
  if (header.getUint32(0, true) !== 0x04034b50) malformed(file, `entry "${name}" has no local header`);
  const localNameLength = header.getUint16(26, true);
  const offset = headerOffset + 30 + localNameLength + header.getUint16(28, true);
  if (!(offset + size <= limit)) malformed(file, `entry "${name}" reaches beyond the archive`);
  if (decodeName(file, file.read(headerOffset + 30, localNameLength)) !== name)
    malformed(file, `entry "${name}" has two names`);
  return { offset, size };
}

/** The 64-bit values of the zip64 extra field, taken in order. */
class WideFields {
  private position = -1;
  private end = -1;

  constructor(
    private readonly view: DataView,
    start: number,
    end: number,
  ) {
    for (let at = start; at + 4 <= end;) {
      const size = view.getUint16(at + 2, true);
      if (view.getUint16(at, true) === 1 && at + 4 + size <= end) {
        this.position = at + 4;
        this.end = at + 4 + size;
        return;
      }
      at += 4 + size;
    }
  }

  /** `narrow` itself, or the next 64-bit value if it is all ones. NaN when that is missing. */
  or(narrow: number): number {
    if (narrow !== 0xffffffff) return narrow;
    if (this.position < 0 || this.position + 8 > this.end) return NaN;
    const value = wideNumber(this.view, this.position);
    this.position += 8;
    return value;
  }
}

function findDirectory(file: ByteFile): Directory {
  const tailLength = Math.min(file.size, endRecordBytes + largestComment);
  const tailStart = file.size - tailLength;
  const tail = viewOf(file.read(tailStart, tailLength));
  for (let at = tailLength - endRecordBytes; at >= 0; at--) {
    if (tail.getUint32(at, true) !== 0x06054b50) continue;
    if (at + endRecordBytes + tail.getUint16(at + 20, true) !== tailLength) continue;
    return checkDirectory(file, wideDirectory(file, tailStart + at) ?? narrowDirectory(tail, at), tailStart + at);
  }
  return notAZip(file);
}

function narrowDirectory(tail: DataView, at: number): Directory {
  const count = tail.getUint16(at + 10, true);
  return { count, size: tail.getUint32(at + 12, true), offset: tail.getUint32(at + 16, true) };
}

// Archives above 4 GiB, and all that torch writes, have a second, 64-bit end record in front of the first.
function wideDirectory(file: ByteFile, endRecord: number): Directory | undefined {
  if (endRecord < 20) return undefined;
  const locator = viewOf(file.read(endRecord - 20, 20));
  if (locator.getUint32(0, true) !== 0x07064b50) return undefined;
  const position = wideNumber(locator, 8);
  if (!(position + 56 <= endRecord - 20)) malformed(file, '64-bit end record lies outside the file');
  const record = viewOf(file.read(position, 56));
  if (record.getUint32(0, true) !== 0x06064b50) malformed(file, '64-bit end record is missing');
  return { count: wideNumber(record, 32), size: wideNumber(record, 40), offset: wideNumber(record, 48) };
}

function checkDirectory(file: ByteFile, directory: Directory, endRecord: number): Directory {
  const { count, size, offset } = directory;
  if (!(offset + size <= endRecord)) malformed(file, 'directory lies outside the file');
  if (size > largestDirectoryBytes) malformed(file, `directory is too large: got ${size} bytes`);
  if (!(count * 46 <= size)) malformed(file, `directory is too small for its ${count} entries`);
  return directory;
}

function checkOverlap(file: ByteFile, entries: ReadonlyMap<string, ZipEntry>): void {
  let end = 0;
  for (const [name, entry] of [...entries].sort(([, a], [, b]) => a.offset - b.offset || a.size - b.size)) {
    if (entry.offset < end) malformed(file, `entry "${name}" overlaps another`);
    end = entry.offset + entry.size;
  }
}

function decodeName(file: ByteFile, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return malformed(file, 'a name is not UTF-8');
  }
}

function wideNumber(view: DataView, position: number): number {
  const value = view.getUint32(position, true) + view.getUint32(position + 4, true) * 2 ** 32;
  return Number.isSafeInteger(value) ? value : NaN;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(file: ByteFile, problem: string): never {
  throw new TorchFileError('TORCH_ZIP_MALFORMED', `${file.path}: zip archive: ${problem}. Download it again.`, {
    file: file.path,
  });
}

function notAZip(file: ByteFile): never {
  const start = file.read(0, Math.min(16, file.size));
  // torch.save before 1.6 begins with a pickled magic number: protocol 2, a 10-byte long integer.
  if (start[0] === 0x80 && start[1] === 0x02 && start[2] === 0x8a && start[3] === 0x0a) {
    throw new TorchFileError(
      'TORCH_LEGACY_FORMAT',
      `${file.path}: file has the format of torch before 1.6: expected a zip archive. Save it again with a newer torch, or as safetensors.`,
      { file: file.path },
    );
  }
  throw new TorchFileError(
    'TORCH_NOT_A_ZIP',
    `${file.path}: file is no zip archive: expected what torch.save writes. Is it complete?`,
    { file: file.path },
  );
}
