// The safetensors header: checks every rule of the format before a single tensor is believed.
// Layout of a file: u64 header length, JSON header, tensor data. Format: https://github.com/huggingface/safetensors

import { SafetensorsError, type SafetensorsErrorCode } from '../errors/safetensors-error.js';
import { parseStrictJson } from './strict-json.js';
import { storedBytesOf, type StoredDType, type StoredTensorInfo } from './tensor-source.js';

/** Limits on what a header may declare. The reference implementation's are wider; no published model comes near these. */
export const safetensorsLimits = Object.freeze({
  headerBytes: 16 * 2 ** 20,
  tensors: 200_000,
  rank: 8,
  dimension: 2 ** 32,
});

/** A checked header. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
}

const dtypeNames: ReadonlyMap<string, StoredDType> = new Map<string, StoredDType>([
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['I32', 'i32'],
  ['I8', 'i8'],
  ['U8', 'u8'],
  ['F8_E4M3', 'f8e4m3'],
  ['F64', 'f64'],
  ['F8_E5M2', 'f8e5m2'],
  ['I64', 'i64'],
  ['I16', 'i16'],
  ['U64', 'u64'],
  ['U32', 'u32'],
  ['U16', 'u16'],
  ['BOOL', 'bool'],
]);

/** Limen's element type as the format spells it. */
export function safetensorsDTypeName(dtype: StoredDType): string {
  for (const [name, stored] of dtypeNames) if (stored === dtype) return name;
  return fail('SAFETENSORS_DTYPE_UNKNOWN', 'writeSafetensors', `dtype has no name in the format: got ${dtype}`);
}

function fail(
  code: SafetensorsErrorCode,
  where: string,
  problem: string,
  details: Readonly<Record<string, unknown>> = {},
): never {
  throw new SafetensorsError(code, `${where}: ${problem}.`, { file: where, ...details });
}

/**
 * Length in bytes of the JSON header, out of the first eight bytes of a file.
 *
 * @param start - the file's first eight bytes
 * @param fileSize - bytes
 * @throws {SafetensorsError}
 */
export function safetensorsHeaderLength(start: Uint8Array, fileSize: number, where: string): number {
  if (fileSize < 8 || start.byteLength < 8) {
    fail('SAFETENSORS_FILE_TOO_SHORT', where, `file is too short: expected at least 8 bytes, got ${fileSize}`);
  }
  const view = new DataView(start.buffer, start.byteOffset, 8);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > safetensorsLimits.headerBytes) {
    fail(
      'SAFETENSORS_HEADER_TOO_LARGE',
      where,
      `header is too large: expected at most ${safetensorsLimits.headerBytes} bytes, got ${length}. Is this a safetensors file?`,
      { length },
    );
  }
  if (length < 2) fail('SAFETENSORS_HEADER_EMPTY', where, `header is empty: expected at least 2 bytes, got ${length}`);
  if (8 + length > fileSize) {
    fail(
      'SAFETENSORS_HEADER_TRUNCATED',
      where,
      `header is cut off: expected ${8 + length} bytes, got a file of ${fileSize}. Download it again`,
      { length, fileSize },
    );
  }
  return length;
}

/**
 * Checks a header against the format and the file's size.
 *
 * @param header - the JSON bytes
 * @param dataStart - offset of the tensor data in the file, bytes
 * @param fileSize - bytes
 * @throws {SafetensorsError}
 */
export function parseSafetensorsHeader(
  header: Uint8Array,
  dataStart: number,
  fileSize: number,
  where: string,
): SafetensorsHeader {
  if (header[0] !== 0x7b) {
    fail('SAFETENSORS_HEADER_NOT_OBJECT', where, `header does not begin with "{": got byte ${header[0] ?? 'none'}`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch (error) {
    throw new SafetensorsError(
      'SAFETENSORS_HEADER_NOT_UTF8',
      `${where}: header is not UTF-8.`,
      { file: where },
      { cause: error },
    );
  }
  const entries = Object.entries(parseObject(text, where));
  if (entries.length > safetensorsLimits.tensors + 1) {
    const limit = safetensorsLimits.tensors;
    fail('SAFETENSORS_TOO_MANY_TENSORS', where, `too many tensors: expected at most ${limit}, got ${entries.length}`);
  }
  let metadata: Readonly<Record<string, string>> = {};
  const tensors = new Map<string, StoredTensorInfo>();
  for (const [name, entry] of entries) {
    if (name === '__metadata__') metadata = checkMetadata(entry, where);
    else tensors.set(name, checkEntry(name, entry, dataStart, where));
  }
  checkCoverage(tensors, dataStart, fileSize, where);
  return { tensors, metadata };
}

function parseObject(text: string, where: string): object {
  const result = parseStrictJson(text);
  const problem = result.problem;
  if (problem?.kind === 'syntax') fail('SAFETENSORS_HEADER_NOT_JSON', where, `header is not JSON: ${problem.message}`);
  if (problem?.kind === 'duplicate-key') {
    fail('SAFETENSORS_DUPLICATE_KEY', where, `header repeats the key "${clip(problem.key)}" at ${problem.position}`);
  }
  if (problem?.kind === 'number') {
    const text = clip(problem.text);
    fail('SAFETENSORS_NUMBER_NOT_INTEGER', where, `header holds a number that is no plain integer: got ${text}`);
  }
  return problem === undefined ? (result.value as object) : {};
}

function checkMetadata(entry: unknown, where: string): Readonly<Record<string, string>> {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    fail('SAFETENSORS_METADATA_INVALID', where, '__metadata__ is not an object');
  }
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') {
      fail('SAFETENSORS_METADATA_INVALID', where, `__metadata__ "${clip(key)}" is not a string: got ${typeof value}`);
    }
  }
  return Object.freeze({ ...(entry as Record<string, string>) });
}

function checkEntry(name: string, entry: unknown, dataStart: number, where: string): StoredTensorInfo {
  const tensor = `tensor "${clip(name)}"`;
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    fail('SAFETENSORS_ENTRY_INVALID', where, `${tensor} is not an object`, { tensor: name });
  }
  const fields = entry as Readonly<Record<string, unknown>>;
  const keys = Object.keys(fields).sort().join(', ');
  if (keys !== 'data_offsets, dtype, shape') {
    fail(
      'SAFETENSORS_ENTRY_INVALID',
      where,
      `${tensor} has the wrong fields: expected data_offsets, dtype, shape, got ${clip(keys)}`,
      { tensor: name },
    );
  }
  const dtype = typeof fields.dtype === 'string' ? dtypeNames.get(fields.dtype) : undefined;
  if (dtype === undefined) {
    const got = clip(JSON.stringify(fields.dtype));
    return fail('SAFETENSORS_DTYPE_UNKNOWN', where, `${tensor} has an unknown dtype: got ${got}`, { tensor: name });
  }
  const shape = checkShape(fields.shape, tensor, where);
  const byteLength = shape.reduce((product, extent) => product * extent, storedBytesOf(dtype));
  // Each extent is at most 2^32 and a product beyond 2^53 is no longer exact, so partial products are checked too.
  let partial = storedBytesOf(dtype);
  for (const extent of shape) {
    partial *= extent;
    if (!Number.isSafeInteger(partial)) {
      fail('SAFETENSORS_SHAPE_OVERFLOW', where, `${tensor} is too large: got shape [${shape.join(', ')}]`, {
        tensor: name,
      });
    }
  }
  const [begin, end] = checkOffsets(fields.data_offsets, tensor, where);
  if (end - begin !== byteLength) {
    fail(
      'SAFETENSORS_SIZE_MISMATCH',
      where,
      `${tensor} has the wrong size: expected ${byteLength} bytes for ${dtype}[${shape.join(', ')}], got ${end - begin}`,
      { tensor: name, expected: byteLength, got: end - begin },
    );
  }
  return Object.freeze({ dtype, shape, byteOffset: dataStart + begin, byteLength });
}

function checkShape(value: unknown, tensor: string, where: string): readonly number[] {
  if (!Array.isArray(value)) fail('SAFETENSORS_SHAPE_INVALID', where, `${tensor} has no shape list`);
  if (value.length > safetensorsLimits.rank) {
    fail(
      'SAFETENSORS_RANK_TOO_LARGE',
      where,
      `${tensor} has too many axes: expected at most ${safetensorsLimits.rank}, got ${value.length}`,
    );
  }
  const shape: number[] = [];
  for (const extent of value as unknown[]) {
    if (typeof extent !== 'number')
      return fail('SAFETENSORS_SHAPE_INVALID', where, `${tensor} has an axis that is no number`);
    if (extent > safetensorsLimits.dimension) {
      fail(
        'SAFETENSORS_DIMENSION_TOO_LARGE',
        where,
        `${tensor} has too long an axis: expected at most 2^32, got ${extent}`,
      );
    }
    shape.push(extent);
  }
  return Object.freeze(shape);
}

function checkOffsets(value: unknown, tensor: string, where: string): readonly [number, number] {
  const [begin, end, ...rest] = Array.isArray(value) ? (value as unknown[]) : [];
  if (
    !Number.isSafeInteger(begin) ||
    !Number.isSafeInteger(end) ||
    rest.length > 0 ||
    (begin as number) > (end as number)
  ) {
    fail(
      'SAFETENSORS_OFFSETS_INVALID',
      where,
      `${tensor} has bad data_offsets: expected [begin, end], got ${clip(JSON.stringify(value))}`,
    );
  }
  return [begin as number, end as number];
}

// Tensors must tile the data without holes or overlap and end where the file ends: then no byte is read twice under two
// names, none is smuggled along, and no size was believed that the file does not have.
function checkCoverage(
  tensors: ReadonlyMap<string, StoredTensorInfo>,
  dataStart: number,
  fileSize: number,
  where: string,
): void {
  const sorted = [...tensors].sort(([, a], [, b]) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let position = dataStart;
  for (const [name, { byteOffset, byteLength }] of sorted) {
    if (byteOffset !== position) {
      const code = byteOffset > position ? 'SAFETENSORS_OFFSETS_HOLE' : 'SAFETENSORS_OFFSETS_OVERLAP';
      const problem = byteOffset > position ? 'leaves a hole before it' : 'overlaps the one before it';
      fail(code, where, `tensor "${clip(name)}" ${problem}: expected it to begin at ${position}, got ${byteOffset}`, {
        tensor: name,
      });
    }
    position += byteLength;
  }
  if (position !== fileSize) {
    fail(
      'SAFETENSORS_FILE_SIZE_MISMATCH',
      where,
      `tensors end at byte ${position} of a file of ${fileSize} bytes. Download it again`,
      {
        expected: position,
        got: fileSize,
      },
    );
  }
}

function clip(text: string | undefined): string {
  const shown = text ?? 'nothing';
  return shown.length > 100 ? `${shown.slice(0, 100)}…` : shown;
}
