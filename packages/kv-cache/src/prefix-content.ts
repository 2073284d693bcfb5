// Tokens and images as they stand at the beginning of a sequence, checked, with one SHA-256 for each image. Pure.

import { createHash } from 'node:crypto';

import { bytesOf, type DType, isDType } from '@limen/tensor';

import { invalidArgument, requireCount } from './argument-checks.js';

/** A picture, or anything else of three extents, that stands in for the embeddings of a run of tokens. */
export interface PrefixImage {
  /** Index of its first token within the tokens it is given with. */
  readonly at: number;
  /** Tokens it takes; their ids are placeholders. */
  readonly tokens: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly dtype: DType;
  /** Its content: `height · width · channels` elements. */
  readonly bytes: Uint8Array;
}

/** Tokens, with the images that stand at some of them. */
export interface PrefixContent {
  /** Token ids; any 32-bit integers. */
  readonly tokens: ArrayLike<number>;
  readonly images?: readonly PrefixImage[];
}

/** An image at its positions `[start, end)` of a sequence. */
export interface PlacedImage {
  readonly start: number;
  readonly end: number;
  /** SHA-256 of its extents, type, token count and content, 32 bytes. */
  readonly digest: Buffer;
}

/** A number as eight bytes. */
export function numberBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** A text behind its length. UTF-16, because UTF-8 makes all lone surrogates equal. */
export function textBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf16le');
  return Buffer.concat([numberBytes(bytes.length), bytes]);
}

/** @throws {InvalidArgumentError} a token is no 32-bit integer */
export function requireTokens(tokens: ArrayLike<number>): void {
  if (tokens instanceof Int32Array) return;
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] ?? NaN;
    if ((token | 0) === token) continue;
    throw invalidArgument({
      caller: 'PrefixChain.append',
      argument: `tokens[${index}]`,
      problem: 'is no token id',
      expected: 'a 32-bit integer',
      got: token,
      fix: 'Pass the ids that the tokenizer gives.',
    });
  }
}

/**
 * Puts images at their positions of the whole sequence, in order, and hashes them.
 *
 * @param images - as given, with positions relative to `offset`
 * @param tokens - tokens they are given with
 * @param offset - position of the first of these tokens
 * @throws {InvalidArgumentError} an image lies outside the tokens or over another, or its bytes do not fit its extents
 */
export function placeImages(images: readonly PrefixImage[], tokens: number, offset: number): PlacedImage[] {
  const ordered = [...images].sort((left, right) => left.at - right.at);
  let free = 0;
  for (const image of ordered) {
    requireCount('PrefixChain.append', 'image.tokens', image.tokens, 1);
    requireCount('PrefixChain.append', 'image.at', image.at, free, tokens - image.tokens);
    requireContent(image);
    free = image.at + image.tokens;
  }
  return ordered.map((image) => {
    const start = offset + image.at;
    return { start, end: start + image.tokens, digest: digestOf(image) };
  });
}

function digestOf({ tokens, height, width, channels, dtype, bytes }: PrefixImage): Buffer {
  const sha = createHash('sha256').update(textBytes('limen image 1'));
  for (const extent of [tokens, height, width, channels]) sha.update(numberBytes(extent));
  return sha.update(textBytes(dtype)).update(numberBytes(bytes.length)).update(bytes).digest();
}

function requireContent({ height, width, channels, dtype, bytes }: PrefixImage): void {
  requireCount('PrefixChain.append', 'image.height', height, 1);
  requireCount('PrefixChain.append', 'image.width', width, 1);
  requireCount('PrefixChain.append', 'image.channels', channels, 1);
  const expected = isDType(dtype) ? height * width * channels * bytesOf(dtype) : NaN;
  if (bytes.length === expected) return;
  throw invalidArgument({
    caller: 'PrefixChain.append',
    argument: 'image.bytes',
    problem: 'does not fit the extents',
    expected: `${expected} bytes, ${height} × ${width} × ${channels} of ${dtype}`,
    got: bytes.length,
    fix: 'Pass the whole image, with the extents and the type it has in memory.',
  });
}
