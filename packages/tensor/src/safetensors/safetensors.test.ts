// Corrupt files made by hand: every rule of the format has at least one file that breaks it and nothing else.

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { SafetensorsError, type SafetensorsErrorCode } from '../errors/safetensors-error.js';
import { openSafetensors } from './safetensors-file.js';
import { writeSafetensors, type TensorToStore } from './write-safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'limen-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(header: string | Uint8Array, dataBytes = 0, declaredLength?: number | bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + json.byteLength + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(declaredLength ?? json.byteLength), true);
  file.set(json, 8);
  return file;
}

function open(bytes: Uint8Array, mapped = false) {
  const path = join(folder, 'file.safetensors');
  writeFileSync(path, bytes);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  return openSafetensors(path, mapped ? { mapFile: () => buffer } : {});
}

// Every message ends with what to do, behind what was expected and what came.
const saysWhatToDo = /[.?!] [A-Zn`].+[.?]$/s;

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SafetensorsError)) return `not a SafetensorsError: ${String(error)}`;
    return saysWhatToDo.test(error.message) ? error.code : `no advice: ${error.message}`;
  }
  return 'accepted';
}

const f32 = (shape: string, begin: number | string, end: number | string) =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;
const good = f32('[2]', 0, 8);
const manyTensors = () => {
  const entries = Array.from({ length: 200_002 }, (_, index) => `"${index}":{}`);
  return fileOf(`{${entries.join(',')}}`);
};

const corrupt: readonly [string, SafetensorsErrorCode, () => Uint8Array][] = [
  ['no bytes at all', 'SAFETENSORS_FILE_TOO_SHORT', () => new Uint8Array(0)],
  ['seven bytes', 'SAFETENSORS_FILE_TOO_SHORT', () => new Uint8Array(7)],
  ['a header of length 0', 'SAFETENSORS_HEADER_EMPTY', () => fileOf('', 0)],
  ['a header of length 1', 'SAFETENSORS_HEADER_EMPTY', () => fileOf('{')],
  ['a header length of 2^64 - 1', 'SAFETENSORS_HEADER_TOO_LARGE', () => fileOf('{}', 0, 2n ** 64n - 1n)],
  ['a header length of 2^53', 'SAFETENSORS_HEADER_TOO_LARGE', () => fileOf('{}', 0, 2n ** 53n)],
  ['a header of 16 MiB and a byte', 'SAFETENSORS_HEADER_TOO_LARGE', () => fileOf('{}', 0, 16 * 2 ** 20 + 1)],
  ['a header longer than the file', 'SAFETENSORS_HEADER_TRUNCATED', () => fileOf('{}', 0, 3)],
  ['a header that begins with a space', 'SAFETENSORS_HEADER_NOT_OBJECT', () => fileOf(' {}')],
  ['a header that is a list', 'SAFETENSORS_HEADER_NOT_OBJECT', () => fileOf('[]')],
  ['a header that is a zip archive', 'SAFETENSORS_HEADER_NOT_OBJECT', () => fileOf('PK\u0003\u0004')],
  ['a header with a byte order mark', 'SAFETENSORS_HEADER_NOT_OBJECT', () => fileOf('\uFEFF{}')],
  [
    'a header with a lone continuation byte',
    'SAFETENSORS_HEADER_NOT_UTF8',
    () => fileOf(Uint8Array.of(0x7b, 0x22, 0x80, 0x22, 0x7d)),
  ],
  [
    'a header with a surrogate in UTF-8',
    'SAFETENSORS_HEADER_NOT_UTF8',
    () => fileOf(Uint8Array.of(0x7b, 0xed, 0xa0, 0x80, 0x7d)),
  ],
  ['a header cut in the middle', 'SAFETENSORS_HEADER_NOT_JSON', () => fileOf('{"a":')],
  ['text after the header', 'SAFETENSORS_HEADER_NOT_JSON', () => fileOf('{} {}')],
  ['zeros after the header', 'SAFETENSORS_HEADER_NOT_JSON', () => fileOf('{}\0\0')],
  ['a comment in the header', 'SAFETENSORS_HEADER_NOT_JSON', () => fileOf('{/**/}')],
  ['NaN in the header', 'SAFETENSORS_HEADER_NOT_JSON', () => fileOf('{"a":NaN}')],
  ['a million open brackets', 'SAFETENSORS_HEADER_NOT_JSON', () => fileOf(`{"a":${'['.repeat(1_000_000)}`)],
  ['one name twice', 'SAFETENSORS_DUPLICATE_KEY', () => fileOf(`{"a":${good},"a":${good}}`, 8)],
  ['one name twice, once escaped', 'SAFETENSORS_DUPLICATE_KEY', () => fileOf(`{"a":${good},"\\u0061":${good}}`, 8)],
  [
    'one field twice',
    'SAFETENSORS_DUPLICATE_KEY',
    () => fileOf('{"a":{"dtype":"F32","dtype":"I32","shape":[],"data_offsets":[0,4]}}', 4),
  ],
  ['one metadata key twice', 'SAFETENSORS_DUPLICATE_KEY', () => fileOf('{"__metadata__":{"a":"1","a" :"2"}}')],
  ['an exponent in a shape', 'SAFETENSORS_NUMBER_NOT_INTEGER', () => fileOf(`{"a":${f32('[2e0]', 0, 8)}}`, 8)],
  ['a fraction in a shape', 'SAFETENSORS_NUMBER_NOT_INTEGER', () => fileOf(`{"a":${f32('[2.0]', 0, 8)}}`, 8)],
  ['a negative axis', 'SAFETENSORS_NUMBER_NOT_INTEGER', () => fileOf(`{"a":${f32('[-2]', 0, 8)}}`, 8)],
  ['a negative offset', 'SAFETENSORS_NUMBER_NOT_INTEGER', () => fileOf(`{"a":${f32('[2]', -8, 0)}}`, 8)],
  ['minus zero', 'SAFETENSORS_NUMBER_NOT_INTEGER', () => fileOf(`{"a":${f32('[2]', '-0', 8)}}`, 8)],
  ['metadata that is a string', 'SAFETENSORS_METADATA_INVALID', () => fileOf('{"__metadata__":"x"}')],
  ['metadata that is a list', 'SAFETENSORS_METADATA_INVALID', () => fileOf('{"__metadata__":[]}')],
  ['metadata that is null', 'SAFETENSORS_METADATA_INVALID', () => fileOf('{"__metadata__":null}')],
  ['a number in metadata', 'SAFETENSORS_METADATA_INVALID', () => fileOf('{"__metadata__":{"a":1}}')],
  ['an object in metadata', 'SAFETENSORS_METADATA_INVALID', () => fileOf('{"__metadata__":{"a":{}}}')],
  ['200,002 tensors', 'SAFETENSORS_TOO_MANY_TENSORS', manyTensors],
  ['a tensor that is null', 'SAFETENSORS_ENTRY_INVALID', () => fileOf('{"a":null}')],
  ['a tensor that is a list', 'SAFETENSORS_ENTRY_INVALID', () => fileOf('{"a":[]}')],
  [
    'a tensor without shape',
    'SAFETENSORS_ENTRY_INVALID',
    () => fileOf('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4),
  ],
  ['a tensor with an extra field', 'SAFETENSORS_ENTRY_INVALID', () => fileOf(`{"a":{"x":1,${good.slice(1)}}`, 8)],
  [
    'an unknown dtype',
    'SAFETENSORS_DTYPE_UNKNOWN',
    () => fileOf('{"a":{"dtype":"F31","shape":[],"data_offsets":[0,4]}}', 4),
  ],
  [
    'a dtype in small letters',
    'SAFETENSORS_DTYPE_UNKNOWN',
    () => fileOf('{"a":{"dtype":"f32","shape":[],"data_offsets":[0,4]}}', 4),
  ],
  [
    'a dtype that is a number',
    'SAFETENSORS_DTYPE_UNKNOWN',
    () => fileOf('{"a":{"dtype":1,"shape":[],"data_offsets":[0,4]}}', 4),
  ],
  ['a shape that is a number', 'SAFETENSORS_SHAPE_INVALID', () => fileOf(`{"a":${f32('2', 0, 8)}}`, 8)],
  ['an axis that is a string', 'SAFETENSORS_SHAPE_INVALID', () => fileOf(`{"a":${f32('["2"]', 0, 8)}}`, 8)],
  ['nine axes', 'SAFETENSORS_RANK_TOO_LARGE', () => fileOf(`{"a":${f32('[1,1,1,1,1,1,1,1,2]', 0, 8)}}`, 8)],
  ['an axis of 2^32 + 1', 'SAFETENSORS_DIMENSION_TOO_LARGE', () => fileOf(`{"a":${f32('[4294967297]', 0, 8)}}`, 8)],
  [
    'an axis of 400 digits',
    'SAFETENSORS_DIMENSION_TOO_LARGE',
    () => fileOf(`{"a":${f32(`[${'9'.repeat(400)}]`, 0, 8)}}`, 8),
  ],
  [
    'a size that wraps around 64 bits',
    'SAFETENSORS_SHAPE_OVERFLOW',
    () => fileOf(`{"a":${f32('[4294967296,4294967296]', 0, 0)}}`),
  ],
  [
    'a size that overflows before a zero',
    'SAFETENSORS_SHAPE_OVERFLOW',
    () => fileOf(`{"a":${f32('[4294967296,4294967296,0]', 0, 0)}}`),
  ],
  [
    'three offsets',
    'SAFETENSORS_OFFSETS_INVALID',
    () => fileOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', 8),
  ],
  ['offsets that are strings', 'SAFETENSORS_OFFSETS_INVALID', () => fileOf(`{"a":${f32('[2]', '"0"', '"8"')}}`, 8)],
  ['an end before its begin', 'SAFETENSORS_OFFSETS_INVALID', () => fileOf(`{"a":${f32('[2]', 8, 0)}}`, 8)],
  [
    'an offset beyond 2^53',
    'SAFETENSORS_OFFSETS_INVALID',
    () => fileOf(`{"a":${f32('[2]', '9007199254740992', '9007199254741000')}}`, 8),
  ],
  ['fewer bytes than the shape needs', 'SAFETENSORS_SIZE_MISMATCH', () => fileOf(`{"a":${f32('[2]', 0, 7)}}`, 7)],
  ['more bytes than the shape needs', 'SAFETENSORS_SIZE_MISMATCH', () => fileOf(`{"a":${f32('[2]', 0, 12)}}`, 12)],
  ['a hole at the start', 'SAFETENSORS_OFFSETS_HOLE', () => fileOf(`{"a":${f32('[2]', 8, 16)}}`, 16)],
  ['a hole between tensors', 'SAFETENSORS_OFFSETS_HOLE', () => fileOf(`{"a":${good},"b":${f32('[1]', 12, 16)}}`, 16)],
  ['two tensors on the same bytes', 'SAFETENSORS_OFFSETS_OVERLAP', () => fileOf(`{"a":${good},"b":${good}}`, 8)],
  [
    'two tensors that share four bytes',
    'SAFETENSORS_OFFSETS_OVERLAP',
    () => fileOf(`{"a":${good},"b":${f32('[2]', 4, 12)}}`, 12),
  ],
  ['a byte missing at the end', 'SAFETENSORS_FILE_SIZE_MISMATCH', () => fileOf(`{"a":${good}}`, 7)],
  ['a byte too many at the end', 'SAFETENSORS_FILE_SIZE_MISMATCH', () => fileOf(`{"a":${good}}`, 9)],
  ['data without tensors', 'SAFETENSORS_FILE_SIZE_MISMATCH', () => fileOf('{}', 1)],
];

describe('openSafetensors', () => {
  it.each(corrupt)('refuses %s with %s', (_, code, make) => {
    const bytes = make();
    expect(codeOf(() => open(bytes))).toBe(code);
    expect(codeOf(() => open(bytes, true))).toBe(code);
  });

  it('refuses a missing file and a folder with SAFETENSORS_FILE_UNREADABLE', () => {
    expect(codeOf(() => openSafetensors(join(folder, 'absent')))).toBe('SAFETENSORS_FILE_UNREADABLE');
    expect(codeOf(() => openSafetensors(folder))).toBe('SAFETENSORS_FILE_UNREADABLE');
  });

  it('accepts an empty file, scalars, empty tensors, padding, any order, and names like __proto__', () => {
    expect(open(fileOf('{}')).names()).toEqual([]);
    const file = open(
      fileOf(`{"b":${f32('[]', 8, 12)},"__proto__":${good},"c":${f32('[0,4294967296]', 12, 12)}}   `, 12),
    );
    expect(file.names()).toEqual(['b', '__proto__', 'c']);
    expect(file.info('__proto__').shape).toEqual([2]);
    expect(file.info('b')).toMatchObject({ dtype: 'f32', shape: [], byteLength: 4 });
    expect(file.bytes('c').byteLength).toBe(0);
  });

  it('lists a 64-bit tensor and refuses to read it', () => {
    const file = open(fileOf('{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}', 8));
    expect(file.info('a').dtype).toBe('i64');
    expect(codeOf(() => file.bytes('a'))).toBe('SAFETENSORS_DTYPE_NOT_SUPPORTED');
  });

  it('refuses unknown names, and reading after close', () => {
    const file = open(fileOf(`{"a":${good}}`, 8));
    expect(codeOf(() => file.info('b'))).toBe('SAFETENSORS_TENSOR_NOT_FOUND');
    file.close();
    file.close();
    expect(codeOf(() => file.bytes('a'))).toBe('SAFETENSORS_CLOSED');
  });

  it('maps the large tensors of a file that cannot be mapped as a whole', () => {
    const length = 2 ** 20;
    const bytes = fileOf(
      `{"a":{"dtype":"U8","shape":[${length}],"data_offsets":[8,${length + 8}]},"b":${good}}`,
      length + 8,
    );
    bytes[bytes.byteLength - 1] = 7;
    const path = join(folder, 'large');
    writeFileSync(path, bytes);
    const parts: (number | undefined)[][] = [];
    const mapFile = (_: string, offset?: number, count?: number) => {
      parts.push([offset, count]);
      if (offset === undefined || count === undefined) throw new RangeError('too large');
      return bytes.buffer.slice(offset, offset + count) as ArrayBuffer;
    };
    using file = openSafetensors(path, { mapFile });
    for (let time = 0; time < 2; time++) expect(file.bytes('a').at(-1)).toBe(7);
    expect(file.bytes('b')).toEqual(new Uint8Array(8));
    expect(parts).toEqual([
      [undefined, undefined],
      [0, bytes.byteLength],
    ]);
  });

  it('maps a file of many gigabytes in a few windows, and reads what lies in none', () => {
    const [step, gap] = [2 ** 20, 2 ** 31];
    const sizes = { a: step, between: gap, b: step, more: gap, c: step };
    let end = 0;
    const entries = Object.entries(sizes).map(
      ([name, size]) => `"${name}":{"dtype":"U8","shape":[${size}],"data_offsets":[${end},${(end += size)}]}`,
    );
    const path = join(folder, 'sparse');
    const head = fileOf(`{${entries.join(',')}}`, 0);
    writeFileSync(path, head);
    truncateSync(path, head.byteLength + end);
    const parts: (number | undefined)[][] = [];
    const mapFile = (_: string, offset?: number, count?: number): ArrayBuffer => {
      parts.push([offset, count]);
      throw new RangeError('not here');
    };
    using file = openSafetensors(path, { mapFile });
    for (const name of ['a', 'b', 'c', 'a', 'c']) expect(file.bytes(name).every((byte) => byte === 0)).toBe(true);
    const [stride, size] = [1.75 * 2 ** 30, head.byteLength + end];
    expect(parts).toEqual([
      [undefined, undefined],
      [0, 2 * stride],
      [stride, size - stride],
      [2 * stride, size - 2 * stride],
    ]);
  });

  it('never fails in another way when bytes of a good file are changed', () => {
    const base = fileOf(`{"__metadata__":{"format":"pt"},"a":${good},"b":${f32('[1,2]', 8, 16)}}`, 16);
    const change = fc.tuple(fc.nat(base.byteLength - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(base.byteLength), (changes, cut) => {
        const bytes = base.slice(0, changes.length === 6 ? cut : base.byteLength);
        for (const [position, value] of changes) if (position < bytes.byteLength) bytes[position] = value;
        const path = join(folder, 'mutated');
        const code = codeOf(() => {
          const file = openSafetensors(path, { mapFile: () => bytes.buffer });
          // What was accepted must be readable in full and stay inside the file.
          for (const name of file.names()) expect(file.bytes(name).byteLength).toBe(file.info(name).byteLength);
        });
        expect(code).toMatch(/^(accepted|SAFETENSORS_[A-Z0-9_]+)$/u);
      }),
      { numRuns: 20_000, seed: 7 },
    );
  });
});

describe('writeSafetensors', () => {
  const path = join(folder, 'written.safetensors');
  const tensors = new Map<string, TensorToStore>([
    ['odd', { dtype: 'u8', shape: [3], bytes: Uint8Array.of(1, 2, 3) }],
    ['größe', { dtype: 'bf16', shape: [1, 2], bytes: Uint8Array.of(0, 0x3f, 0x80, 0x3f) }],
    ['none', { dtype: 'f32', shape: [0], bytes: new Uint8Array(0) }],
  ]);

  it('writes what openSafetensors reads, with the data at a multiple of 8', () => {
    writeSafetensors(path, tensors, { format: 'pt' });
    using file = openSafetensors(path);
    expect(file.names()).toEqual([...tensors.keys()]);
    expect(file.metadata).toEqual({ format: 'pt' });
    for (const [name, tensor] of tensors) {
      expect(file.info(name)).toMatchObject({ dtype: tensor.dtype, shape: tensor.shape });
      expect(file.bytes(name)).toEqual(tensor.bytes);
    }
    expect(file.info('odd').byteOffset % 8).toBe(0);
    expect(readFileSync(path).byteLength).toBe(file.info('odd').byteOffset + 7);
  });

  it('refuses bytes that do not fill the shape, and the reserved name', () => {
    const one = (name: string, length: number) =>
      new Map<string, TensorToStore>([[name, { dtype: 'f32', shape: [1], bytes: new Uint8Array(length) }]]);
    expect(codeOf(() => writeSafetensors(path, one('a', 3)))).toBe('SAFETENSORS_SIZE_MISMATCH');
    expect(codeOf(() => writeSafetensors(path, one('__metadata__', 4)))).toBe('SAFETENSORS_ENTRY_INVALID');
  });
});
