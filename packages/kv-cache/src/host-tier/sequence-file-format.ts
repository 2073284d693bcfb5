// The format of a sequence file, version 1. Pure: bytes in, header out; not one field is believed unchecked.
//
//   offset  bytes  content
//   0       8      magic: 89 4C 4B 56 43 0D 0A 1A ("LKVC" between bytes that text transfer would damage)
//   8       4      u32 version
//   12      4      u32 bytes of the header, H
//   16      H      header: JSON in UTF-8, padded with spaces so that the payload begins at a multiple of 16
//   16 + H  n      payload: page after page, each the elements, then the scales, `[2 · layers, tokens, heads, vector]`
//                  ("NHD") or `[2 · layers, heads, tokens, vector]` ("HND"); the last page has the tokens left over
//   end     32     SHA-256 of everything before
//
// All numbers are little-endian.

import { parseStrictJson } from '@limen/tensor';

import { CacheFileError, type CacheFileErrorCode } from '../errors/cache-file-error.js';
import { bytesPerToken } from '../cache-plan.js';
import { type CacheDType, cacheFormats, type PageLayout } from '../storage-formats.js';

/** What a sequence file says about itself. */
export interface SequenceFileHeader {
  readonly dtype: CacheDType;
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Tokens in a page of the file. */
  readonly pageSize: number;
  readonly layout: PageLayout;
  readonly tokens: number;
  readonly payloadBytes: number;
  /** What the writer wanted to be kept with it. */
  readonly metadata: Readonly<Record<string, string>>;
}

const magic = Uint8Array.of(0x89, 0x4c, 0x4b, 0x56, 0x43, 0x0d, 0x0a, 0x1a);
/** Version that is written; the only one there is. */
export const sequenceFileVersion = 1;
/** Bytes before the header. */
export const prefixBytes = 16;
/** Bytes of the checksum at the end. */
export const digestBytes = 32;
const alignment = 16;

/** Limits on what a file may declare; what is written stays within them too. */
export const sequenceFileLimits = Object.freeze({ headerBytes: 2 ** 20, size: 2 ** 31 - 1 });

const counts = ['layers', 'keyValueHeads', 'headSize', 'pageSize', 'tokens', 'payloadBytes'] as const;
const fields = [...counts, 'dtype', 'layout', 'metadata'].sort();

/** Prefix and header as bytes; `undefined` when the metadata makes the header too large. */
export function encodeHeader(header: SequenceFileHeader): Uint8Array | undefined {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.byteLength / alignment) * alignment;
  if (length > sequenceFileLimits.headerBytes) return undefined;
  const bytes = new Uint8Array(prefixBytes + length).fill(0x20);
  bytes.set(magic);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, sequenceFileVersion, true);
  view.setUint32(12, length, true);
  bytes.set(json, prefixBytes);
  return bytes;
}

/**
 * Bytes of the header, out of the first bytes of a file.
 * @param start - the first 16 bytes, or all there are
 * @throws {CacheFileError}
 */
export function headerLength(start: Uint8Array, fileBytes: number, path: string): number {
  const least = prefixBytes + digestBytes;
  if (start.byteLength < magic.byteLength || magic.some((byte, index) => start[index] !== byte)) {
    throw new CacheFileError('CACHE_FILE_FOREIGN', path, 'file is not a sequence file: its first bytes are others');
  }
  if (fileBytes < least || start.byteLength < prefixBytes) {
    throw new CacheFileError(
      'CACHE_FILE_TOO_SHORT',
      path,
      `file is cut off: expected ${least} bytes, got ${fileBytes}`,
    );
  }
  const view = new DataView(start.buffer, start.byteOffset, prefixBytes);
  const version = view.getUint32(8, true);
  if (version > sequenceFileVersion) {
    const problem = `file is newer: expected version ${sequenceFileVersion}, got ${version}`;
    throw new CacheFileError('CACHE_FILE_NEWER', path, problem, { version });
  }
  if (version < sequenceFileVersion)
    invalid(path, `version is unknown: expected ${sequenceFileVersion}, got ${version}`);
  const length = view.getUint32(12, true);
  if (length < 2 || length > sequenceFileLimits.headerBytes || length % alignment !== 0) {
    const expected = `a multiple of ${alignment} up to ${sequenceFileLimits.headerBytes} bytes`;
    invalid(path, `header has a wrong length: expected ${expected}, got ${length}`);
  }
  if (least + length > fileBytes) {
    const problem = `file is cut off in its header: expected ${least + length} bytes, got ${fileBytes}`;
    throw new CacheFileError('CACHE_FILE_TOO_SHORT', path, problem);
  }
  return length;
}

/**
 * Checks a header against itself and the file's size.
 * @throws {CacheFileError}
 */
export function decodeHeader(bytes: Uint8Array, fileBytes: number, path: string): SequenceFileHeader {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CacheFileError('CACHE_FILE_HEADER_INVALID', path, 'header is not UTF-8', {}, { cause });
  }
  const parsed = parseStrictJson(text);
  if (parsed.problem !== undefined) {
    const { problem } = parsed;
    const said = { syntax: 'is not JSON', 'duplicate-key': 'repeats a key', number: 'holds a number that is no count' };
    return invalid(path, `header ${said[problem.kind]}`);
  }
  const header = checkFields(parsed.value, path);
  const perToken = checkedBytesPerToken(header, path);
  if (header.payloadBytes !== header.tokens * perToken) {
    const expected = `${header.tokens * perToken} bytes for ${header.tokens} tokens`;
    invalid(path, `payload has a wrong length: expected ${expected}, got ${header.payloadBytes}`);
  }
  const expected = prefixBytes + bytes.byteLength + header.payloadBytes + digestBytes;
  if (fileBytes !== expected) {
    const problem = `file has the wrong size: expected ${expected} bytes, got ${fileBytes}`;
    throw new CacheFileError('CACHE_FILE_SIZE_MISMATCH', path, problem, { expected, got: fileBytes });
  }
  return header;
}

/**
 * Checks that a file's tokens fit a cache. Page size and layout may differ.
 * @throws {CacheFileError} `CACHE_FILE_SHAPE_MISMATCH`
 */
export function requireSameShape(
  header: SequenceFileHeader,
  shape: Pick<SequenceFileHeader, 'layers' | 'keyValueHeads' | 'headSize' | 'dtype'>,
  path: string,
): void {
  for (const field of ['layers', 'keyValueHeads', 'headSize', 'dtype'] as const) {
    const [expected, got] = [shape[field], header[field]];
    if (expected === got) continue;
    const problem = `file is of another shape: expected ${field} ${expected}, got ${got}`;
    throw new CacheFileError('CACHE_FILE_SHAPE_MISMATCH', path, problem, { field, expected, got });
  }
}

function checkFields(value: unknown, path: string): SequenceFileHeader {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return invalid(path, 'header is no object');
  const names = Object.keys(value).sort();
  if (names.join() !== fields.join()) {
    invalid(path, `header has the wrong fields: expected ${fields.join(', ')}, got ${clip(names.join(', '))}`);
  }
  const header = value as Record<(typeof counts)[number] | 'dtype' | 'layout' | 'metadata', unknown>;
  for (const name of counts) {
    const [least, most] = [name === 'tokens' || name === 'payloadBytes' ? 0 : 1, limitOf(name)];
    const count = header[name];
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= least && count <= most) continue;
    invalid(path, `${name} is out of range: expected ${least} … ${most}, got ${clip(JSON.stringify(count))}`);
  }
  const { dtype, layout, metadata } = header;
  if (typeof dtype !== 'string' || !Object.hasOwn(cacheFormats, dtype)) {
    invalid(
      path,
      `dtype is unknown: expected ${Object.keys(cacheFormats).join(' | ')}, got ${clip(JSON.stringify(dtype))}`,
    );
  }
  if (layout !== 'NHD' && layout !== 'HND') {
    invalid(path, `layout is unknown: expected NHD | HND, got ${clip(JSON.stringify(layout))}`);
  }
  const isObject = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata);
  if (!isObject || Object.values(metadata).some((text) => typeof text !== 'string')) {
    invalid(path, 'metadata is not an object of strings');
  }
  return Object.freeze(header) as unknown as SequenceFileHeader;
}

function limitOf(name: (typeof counts)[number]): number {
  return name === 'payloadBytes' ? Number.MAX_SAFE_INTEGER : sequenceFileLimits.size;
}

function checkedBytesPerToken(header: SequenceFileHeader, path: string): number {
  let bytes = NaN;
  try {
    bytes = bytesPerToken(header);
  } catch (cause) {
    throw new CacheFileError('CACHE_FILE_HEADER_INVALID', path, 'header describes no cache', {}, { cause });
  }
  if (Number.isSafeInteger(bytes * header.tokens)) return bytes;
  return invalid(path, `sizes are too large: got ${header.tokens} tokens of ${bytes} bytes`);
}

function invalid(path: string, problem: string): never {
  const code: CacheFileErrorCode = 'CACHE_FILE_HEADER_INVALID';
  throw new CacheFileError(code, path, problem);
}

function clip(text: string | undefined): string {
  const shown = text ?? 'nothing';
  return shown.length > 100 ? `${shown.slice(0, 100)}…` : shown;
}
