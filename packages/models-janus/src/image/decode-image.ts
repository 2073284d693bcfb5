// Decodes pictures of strangers: the format is told from the first bytes, limits are checked before pixels are made, and
// what comes out is always 8-bit RGB.

import { readFile, stat } from 'node:fs/promises';

import sharp from 'sharp';

import { ImageError } from '../errors/image-error.js';
import type { RgbImage } from './rgb-image.js';

/** Formats that are decoded; of a moving picture, the first frame. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif';

/** Limits on pictures. */
export const imageLimits = Object.freeze({
  bytes: 20 * 2 ** 20,
  pixels: 50_000_000,
  /** Shortest side, pixels. */
  side: 2,
  /** Longest side over shortest. */
  ratio: 200,
  seconds: 5,
});

/** The format by its first bytes; undefined if it is none of the four. */
export function imageFormatOf(bytes: Uint8Array): ImageFormat | undefined {
  const starts = (at: number, ...expected: readonly number[]) =>
    expected.every((byte, index) => bytes[at + index] === byte);
  if (starts(0, 0xff, 0xd8, 0xff)) return 'jpeg';
  if (starts(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'png';
  if (starts(0, 0x52, 0x49, 0x46, 0x46) && starts(8, 0x57, 0x45, 0x42, 0x50)) return 'webp';
  if (starts(0, 0x47, 0x49, 0x46, 0x38) && (bytes[4] === 0x37 || bytes[4] === 0x39) && bytes[5] === 0x61) return 'gif';
  return undefined;
}

/**
 * Reads and decodes a picture.
 *
 * @param source - path of a file, or encoded bytes
 * @throws {ImageError}
 */
export async function loadImage(source: string | Uint8Array): Promise<RgbImage> {
  if (typeof source !== 'string') return decodeImage(source);
  let bytes: Uint8Array;
  try {
    const { size } = await stat(source);
    if (size > imageLimits.bytes) return tooLarge(size);
    bytes = await readFile(source);
  } catch (error) {
    if (ImageError.isInstance(error)) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ImageError(
      'IMAGE_FILE_UNREADABLE',
      `image: file cannot be read: ${reason}.`,
      { file: source },
      { cause: error },
    );
  }
  return decodeImage(bytes);
}

/**
 * Decodes a JPEG, PNG, WebP or GIF.
 *
 * @param bytes - the encoded picture
 * @returns the first frame, turned as its EXIF says, without alpha and without applying an RGB colour profile, as Pillow does
 * @throws {ImageError} not such a picture, damaged, or beyond {@link imageLimits}
 */
export async function decodeImage(bytes: Uint8Array): Promise<RgbImage> {
  if (bytes.byteLength === 0)
    throw new ImageError('IMAGE_EMPTY', 'image: no bytes: expected a JPEG, PNG, WebP or GIF.');
  if (bytes.byteLength > imageLimits.bytes) tooLarge(bytes.byteLength);
  const format = imageFormatOf(bytes);
  if (format === undefined) {
    throw new ImageError(
      'IMAGE_FORMAT_NOT_SUPPORTED',
      'image: format is not supported: expected a JPEG, PNG, WebP or GIF.',
    );
  }
  const options = {
    failOn: 'warning',
    limitInputPixels: imageLimits.pixels,
    sequentialRead: true,
    pages: 1,
  } as const;
  try {
    const { width, height, space, format: found } = await sharp(bytes, options).metadata();
    if (found !== format) throw new ImageError('IMAGE_DAMAGED', damaged, { format });
    checkSize(width, height);
    const { data, info } = await sharp(bytes, { ...options, ignoreIcc: space !== 'cmyk' })
      .timeout({ seconds: imageLimits.seconds })
      .autoOrient()
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new ImageError('IMAGE_DAMAGED', damaged, { channels: info.channels });
    return {
      width: info.width,
      height: info.height,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    };
  } catch (error) {
    if (ImageError.isInstance(error)) throw error;
    const reason = error instanceof Error ? error.message : '';
    if (reason.includes('pixel limit')) tooManyPixels({}, error);
    throw new ImageError('IMAGE_DAMAGED', damaged, { format }, { cause: error });
  }
}

const damaged = 'image: cannot be decoded: the file is damaged or cut off. Save it again.';

function checkSize(width: number, height: number): void {
  const details = { width, height };
  if (width * height > imageLimits.pixels) tooManyPixels(details);
  if (Math.min(width, height) < imageLimits.side) {
    throw new ImageError(
      'IMAGE_TOO_SMALL',
      `image: too small: expected at least ${imageLimits.side} pixels a side, got ${width} x ${height}.`,
      details,
    );
  }
  if (Math.max(width, height) > imageLimits.ratio * Math.min(width, height)) {
    throw new ImageError(
      'IMAGE_TOO_NARROW',
      `image: too narrow: expected sides of at most ${imageLimits.ratio}:1, got ${width} x ${height}. Crop it.`,
      details,
    );
  }
}

function tooManyPixels(details: Readonly<Record<string, unknown>>, cause?: unknown): never {
  throw new ImageError(
    'IMAGE_TOO_MANY_PIXELS',
    `image: too many pixels: expected at most ${imageLimits.pixels}. Scale it down.`,
    details,
    { cause },
  );
}

function tooLarge(size: number): never {
  throw new ImageError(
    'IMAGE_FILE_TOO_LARGE',
    `image: file is too large: expected at most ${imageLimits.bytes} bytes, got ${size}. Scale it down.`,
    { size },
  );
}
