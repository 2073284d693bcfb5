// When two beginnings have the same names, and when they must not.

import { createHash } from 'node:crypto';

import type { DType } from '@limen/tensor';
import { InvalidArgumentError } from '@limen/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { PrefixChain, type PrefixOrigin } from './prefix-chain.js';
import type { PrefixContent, PrefixImage } from './prefix-content.js';

const model = 'model';
const origin: PrefixOrigin = { model, pageSize: 4 };
const tokens = (count: number, first = 1): number[] => Array.from({ length: count }, (_, index) => first + index);
const keysOf = (content: PrefixContent, from: PrefixOrigin = origin) => new PrefixChain(from, content).keys;

function imageOf(changes: Partial<PrefixImage> = {}): PrefixImage {
  const image = { at: 1, tokens: 4, height: 2, width: 3, channels: 2, dtype: 'u8' as DType, ...changes };
  return { bytes: Uint8Array.from({ length: 12 }, (_, index) => index), ...image };
}
const withImage = (changes: Partial<PrefixImage> = {}) => keysOf({ tokens: tokens(8), images: [imageOf(changes)] });

describe('PrefixChain', () => {
  it('has one name for each full page, the same for the same tokens', () => {
    const keys = keysOf({ tokens: tokens(11) });
    expect(keys).toHaveLength(2);
    expect(keys.every((key) => /^[0-9a-f]{64}$/.test(key))).toBe(true);
    expect(keysOf({ tokens: Int32Array.from(tokens(11)) })).toEqual(keys);
    expect(keysOf({ tokens: tokens(8) })).toEqual(keys);
  });

  it('is the SHA-256 of the bytes that the documentation names', () => {
    const number = (value: number) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt(value));
      return bytes;
    };
    const text = (value: string) => Buffer.concat([number(2 * value.length), Buffer.from(value, 'utf16le')]);
    const sha = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
    const root = sha(text('limen prefix 1'), text(model), text('salt'), number(4));
    const first = sha(root, Buffer.from(Int32Array.of(1, 2, 3, 4, 0).buffer));
    const picture = [4, 2, 3, 2].map(number);
    const digest = sha(text('limen image 1'), ...picture, text('u8'), number(12), Buffer.from(imageOf().bytes));
    const second = sha(
      first,
      Buffer.from(Int32Array.of(5, 6, 7, 8, 1).buffer),
      ...[number(1), number(3), number(0), digest],
    );
    const third = sha(
      second,
      Buffer.from(Int32Array.of(9, 10, 11, 12, 1).buffer),
      ...[number(0), number(1), number(3), digest],
    );
    const content = { tokens: tokens(12), images: [imageOf({ at: 5 })] };
    expect(keysOf(content, { model, salt: 'salt', pageSize: 4 })).toEqual(
      [first, second, third].map((key) => key.toString('hex')),
    );
  });

  it('gives every later page another name when one token differs', () => {
    const keys = keysOf({ tokens: tokens(12) });
    for (let position = 0; position < 12; position += 1) {
      const other = keysOf({ tokens: tokens(12).map((token, index) => (index === position ? -token : token)) });
      other.forEach((key, page) => expect(key === keys[page]).toBe(page < Math.floor(position / 4)));
    }
  });

  it.each<[string, PrefixOrigin]>([
    ['another tenant', { model, salt: 'tenant', pageSize: 4 }],
    ['another model', { model: 'model ', pageSize: 4 }],
    ['a model and salt that join to the same text', { model: 'mod', salt: 'el', pageSize: 4 }],
    ['a salt that differs in a lone surrogate', { model, salt: '\ud800', pageSize: 4 }],
  ])('shares nothing with %s', (_, other) => {
    const keys = keysOf({ tokens: tokens(12) });
    expect(keysOf({ tokens: tokens(12) }, other).filter((key) => keys.includes(key))).toEqual([]);
  });

  it('tells salts of lone surrogates and of the replacement character apart', () => {
    const keys = ['\ud800', '\ud801', '\ufffd'].map((salt) => keysOf({ tokens: tokens(4) }, { ...origin, salt })[0]);
    expect(new Set(keys).size).toBe(3);
  });

  it('shares nothing between page sizes', () => {
    const [small, large] = [2, 4].map((pageSize) => keysOf({ tokens: tokens(8) }, { model, pageSize }));
    expect(small?.filter((key) => large?.includes(key))).toEqual([]);
  });

  it.each<[string, Partial<PrefixImage>]>([
    ['equal bytes of swapped extents', { height: 3, width: 2 }],
    ['equal bytes of other extents', { height: 2, width: 2, channels: 3 }],
    ['equal bytes of one row', { height: 1, width: 12, channels: 1 }],
    ['equal bytes of another type', { dtype: 'i8' }],
    ['equal bytes of a wider type', { dtype: 'f16', channels: 1 }],
    ['another content', { bytes: new Uint8Array(12) }],
    ['another place', { at: 2 }],
    ['another number of tokens', { tokens: 5 }],
  ])('never shares with %s', (_, changes) => {
    const keys = withImage();
    expect(withImage()).toEqual(keys);
    const other = withImage(changes);
    expect(other).toHaveLength(2);
    expect(other.filter((key) => keys.includes(key))).toEqual([]);
  });

  it('tells an image from its placeholders alone, and an order of images from another', () => {
    expect(keysOf({ tokens: tokens(8) })[0]).not.toBe(withImage()[0]);
    const [left, right] = [imageOf({ at: 0, tokens: 2 }), imageOf({ at: 2, tokens: 2, bytes: new Uint8Array(12) })];
    const inOrder = keysOf({ tokens: tokens(4), images: [left, right] });
    expect(keysOf({ tokens: tokens(4), images: [right, left] })).toEqual(inOrder);
    const swapped = [
      { ...left, at: 2 },
      { ...right, at: 0 },
    ];
    expect(keysOf({ tokens: tokens(4), images: swapped })).not.toEqual(inOrder);
  });

  it('shares what stands before an image', () => {
    const images = [imageOf({ at: 5, tokens: 2 })];
    const [with_, without] = [keysOf({ tokens: tokens(8), images }), keysOf({ tokens: tokens(8) })];
    expect(with_[0]).toBe(without[0]);
    expect(with_[1]).not.toBe(without[1]);
  });

  it('names the same pages whether tokens come at once, in pieces, on a fork or after others were taken back', () => {
    const piece = fc.record({ count: fc.nat(9), image: fc.boolean(), detour: fc.nat(9), fork: fc.boolean() });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.integer({ min: 1, max: 5 }), (pieces, pageSize) => {
        let chain = new PrefixChain({ model, pageSize });
        const all: { tokens: number[]; images: PrefixImage[] } = { tokens: [], images: [] };
        pieces.forEach(({ count, image, detour, fork }, index) => {
          chain.append({
            tokens: tokens(detour, 1000),
            images: detour > 1 ? [imageOf({ at: 0, tokens: detour })] : [],
          });
          chain.truncate(all.tokens.length);
          const original = chain;
          if (fork) chain = chain.fork();
          const bytes = new Uint8Array(12).fill(index);
          const images = image && count > 0 ? [imageOf({ at: 0, tokens: count, bytes })] : [];
          chain.append({ tokens: tokens(count, all.tokens.length), images });
          if (fork) original.append({ tokens: tokens(9, 5000) });
          all.images.push(...images.map((one) => ({ ...one, at: one.at + all.tokens.length })));
          all.tokens.push(...tokens(count, all.tokens.length));
        });
        expect(chain.length).toBe(all.tokens.length);
        expect(chain.keys).toEqual(keysOf(all, { model, pageSize }));
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  it('keeps the part of an image that truncation leaves', () => {
    const chain = new PrefixChain(origin, { tokens: tokens(8), images: [imageOf({ at: 2, tokens: 6 })] });
    const [first] = chain.keys;
    chain.truncate(4);
    expect(chain.keys).toEqual([first]);
    chain.truncate(3);
    chain.append({ tokens: [4] });
    expect(chain.keys[0]).not.toBe(first);
  });

  it.each<[string, PrefixContent]>([
    ['tokens[1] is no token id: expected a 32-bit integer, got 0.5', { tokens: [1, 0.5] }],
    ['tokens[0] is no token id', { tokens: [2 ** 32 + 5] }],
    ['tokens[0] is no token id', { tokens: [NaN] }],
    ['image.at is out of range', { tokens: tokens(8), images: [imageOf({ at: 5 })] }],
    ['image.at is out of range', { tokens: tokens(8), images: [imageOf({ at: -1 })] }],
    ['image.at is out of range', { tokens: tokens(12), images: [imageOf(), imageOf({ at: 4 })] }],
    ['image.tokens is out of range', { tokens: tokens(8), images: [imageOf({ tokens: 0 })] }],
    ['image.height is out of range', { tokens: tokens(8), images: [imageOf({ height: 0 })] }],
    ['expected 24 bytes, 2 × 3 × 4 of u8, got 12', { tokens: tokens(8), images: [imageOf({ channels: 4 })] }],
    ['image.bytes does not fit', { tokens: tokens(8), images: [imageOf({ dtype: 'picture' as DType })] }],
  ])('rejects content with “%s” and keeps its own', (text, content) => {
    const chain = new PrefixChain(origin, { tokens: tokens(4) });
    const before = [...chain.keys];
    expect(() => chain.append(content)).toThrowError(InvalidArgumentError);
    expect(() => chain.append(content)).toThrowError(text);
    expect(chain.length).toBe(4);
    expect(chain.keys).toEqual(before);
  });

  it('rejects a page size or a length that is none', () => {
    expect(() => new PrefixChain({ model, pageSize: 0 })).toThrowError('PrefixChain: pageSize is out of range');
    expect(() => new PrefixChain(origin, { tokens: [1] }).truncate(2)).toThrowError('[0, 1], got 2');
  });
});
