// Encodes pictures that the model drew.

import sharp from 'sharp';

import { ImageError } from '../errors/image-error.js';
import type { RgbImage } from './rgb-image.js';

/** A picture that the model drew. */
export type DrawnImage = RgbImage;

/** How a picture is encoded. */
export interface EncodeImageOptions {
  /** Default `'png'`, which keeps every pixel. */
  readonly format?: 'png' | 'jpeg' | 'webp';
  /** 1 to 100, for JPEG and WebP; default 90. */
  readonly quality?: number;
}

/**
 * Encodes a picture.
 *
 * @returns the bytes of a file
 * @throws {ImageError} the data do not fill the size, or an option is out of range
 */
export async function encodeImage(image: RgbImage, options: EncodeImageOptions = {}): Promise<Uint8Array> {
  const { format = 'png', quality = 90 } = options;
  const { width, height, data } = image;
  if (
    !Number.isInteger(width) ||
    !Number.isInteger(height) ||
    width < 1 ||
    height < 1 ||
    data.length !== width * height * 3
  ) {
    throw new ImageError(
      'IMAGE_DATA_INVALID',
      `encodeImage: data do not fill the size: expected ${width * height * 3} bytes, got ${data.length}.`,
      { width, height },
    );
  }
  if (!Number.isInteger(quality) || quality < 1 || quality > 100) {
    throw new ImageError(
      'IMAGE_DATA_INVALID',
      `encodeImage: quality is not allowed: expected 1 to 100, got ${quality}.`,
      { quality },
    );
  }
  const raw = sharp(data, { raw: { width, height, channels: 3 } });
  if (format === 'png') return raw.png().toBuffer();
  if (format === 'jpeg') return raw.jpeg({ quality }).toBuffer();
  if (format === 'webp') return raw.webp({ quality }).toBuffer();
  throw new ImageError(
    'IMAGE_FORMAT_NOT_SUPPORTED',
    `encodeImage: format is not supported: expected png, jpeg or webp, got ${String(format)}.`,
  );
}
