// Headers of sequence files: what is written is read back, and every rule has a file that breaks it.

import { LimenError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import {
  decodeHeader,
  encodeHeader,
  headerLength,
  prefixBytes,
  requireSameShape,
  type SequenceFileHeader,
} from './sequence-file-format.js';

const header: SequenceFileHeader = {
  dtype: 'int8',
  layers: 2,
  keyValueHeads: 3,
  headSize: 8,
  pageSize: 4,
  layout: 'NHD',
  tokens: 10,
  payloadBytes: 10 * 2 * 2 * 3 * 12,
  metadata: { prompt: 'a “cat”\n' },
};

function encoded(change: Readonly<Record<string, unknown>> = {}): {
  start: Uint8Array;
  json: Uint8Array;
  size: number;
} {
  const bytes = encodeHeader({ ...header, ...change });
  const json = bytes?.subarray(prefixBytes) ?? new Uint8Array();
  return { start: bytes ?? json, json, size: prefixBytes + json.byteLength + header.payloadBytes + 32 };
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (LimenError.isInstance(error)) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'nothing thrown';
}

describe('a header', () => {
  it('is read as it was written, and leaves the payload aligned', () => {
    const { start, json, size } = encoded();
    expect(headerLength(start.subarray(0, prefixBytes), size, 'file')).toBe(json.byteLength);
    expect(start.byteLength % 16).toBe(0);
    expect(decodeHeader(json, size, 'file')).toEqual(header);
  });

  it('may say that there are no tokens', () => {
    const { json } = encoded({ tokens: 0, payloadBytes: 0 });
    expect(decodeHeader(json, 48 + json.byteLength, 'file').tokens).toBe(0);
  });

  it('is not written when the metadata makes it too large', () => {
    expect(encodeHeader({ ...header, metadata: { long: 'x'.repeat(2 ** 20) } })).toBeUndefined();
  });

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['layers is out of range', { layers: 0 }],
    ['layers is out of range', { layers: 2 ** 31 }],
    ['header holds a number that is no count', { layers: 1.5 }],
    ['header holds a number that is no count', { tokens: -1 }],
    ['headSize is out of range', { headSize: '8' }],
    ['payloadBytes is out of range', { payloadBytes: 2 ** 53 }],
    ['payload has a wrong length: expected 1440 bytes for 10 tokens, got 1441', { payloadBytes: 1441 }],
    ['payload has a wrong length', { tokens: 11 }],
    ['sizes are too large', { layers: 2 ** 31 - 1, keyValueHeads: 2 ** 31 - 1, headSize: 2 ** 31 - 1 }],
    ['header describes no cache', { dtype: 'int4', headSize: 7 }],
    ['dtype is unknown', { dtype: 'toString' }],
    ['dtype is unknown', { dtype: 8 }],
    ['layout is unknown', { layout: 'DHN' }],
    ['metadata is not an object of strings', { metadata: { count: 3 } }],
    ['metadata is not an object of strings', { metadata: ['a'] }],
    ['metadata is not an object of strings', { metadata: null }],
    ['header has the wrong fields', { more: 1 }],
    ['header has the wrong fields', { layout: undefined }],
  ])('is refused when %s', (problem, change) => {
    const { json, size } = encoded(change);
    expect(refusal(() => decodeHeader(json, size, 'file'))).toContain(`CACHE_FILE_HEADER_INVALID file: ${problem}`);
  });

  it.each([
    ['header is not JSON', '{"dtype":'],
    ['header is no object', '[]'],
    ['header repeats a key', '{"dtype":"f32","dtype":"f16"}'],
    ['header has the wrong fields', '{}'],
  ])('is refused when the %s', (problem, text) => {
    const refused = refusal(() => decodeHeader(new TextEncoder().encode(text), 100, 'file'));
    expect(refused).toContain(`CACHE_FILE_HEADER_INVALID file: ${problem}`);
  });

  it('is refused when it is not UTF-8', () => {
    expect(refusal(() => decodeHeader(Uint8Array.of(0x7b, 0xff, 0x7d), 100, 'file'))).toContain('header is not UTF-8');
  });

  it('is refused when the file has another size', () => {
    const { json, size } = encoded();
    for (const wrong of [size - 1, size + 1, size * 2]) {
      const refused = refusal(() => decodeHeader(json, wrong, 'file'));
      expect(refused).toContain(`CACHE_FILE_SIZE_MISMATCH file: file has the wrong size: expected ${size} bytes`);
    }
  });
});

describe('the first bytes of a file', () => {
  const changed = (at: number, value: number, size = 4096) => {
    const start = encoded().start.slice(0, prefixBytes);
    new DataView(start.buffer).setUint32(at, value, true);
    return refusal(() => headerLength(start, size, 'file'));
  };

  it('must be those of a sequence file', () => {
    expect(changed(0, 0x04034b50)).toContain('CACHE_FILE_FOREIGN');
    expect(refusal(() => headerLength(new Uint8Array(0), 0, 'file'))).toContain('CACHE_FILE_FOREIGN');
  });

  it('must name a version that is known', () => {
    expect(changed(8, 2)).toContain('CACHE_FILE_NEWER file: file is newer: expected version 1, got 2');
    expect(changed(8, 0)).toContain('CACHE_FILE_HEADER_INVALID file: version is unknown');
  });

  it('must give the header a length that is possible', () => {
    for (const length of [0, 17, 2 ** 20 + 16, 2 ** 32 - 16]) {
      expect(changed(12, length)).toContain('CACHE_FILE_HEADER_INVALID file: header has a wrong length');
    }
    expect(changed(12, 4096)).toContain('CACHE_FILE_TOO_SHORT file: file is cut off in its header');
    expect(changed(12, 16, 47)).toContain('CACHE_FILE_TOO_SHORT file: file is cut off: expected 48 bytes, got 47');
  });
});

describe('requireSameShape', () => {
  it.each([{ layers: 3 }, { keyValueHeads: 2 }, { headSize: 10 }, { dtype: 'fp8' as const }])(
    'names what differs: %o',
    (change) => {
      const [field, expected] = Object.entries(change)[0] ?? [];
      const refused = refusal(() => requireSameShape(header, { ...header, ...change }, 'file'));
      expect(refused).toContain(
        `CACHE_FILE_SHAPE_MISMATCH file: file is of another shape: expected ${field} ${expected}`,
      );
    },
  );

  it('lets page size, layout and length differ', () => {
    requireSameShape({ ...header, pageSize: 9, layout: 'HND', tokens: 1 }, header, 'file');
  });
});
