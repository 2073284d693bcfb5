// Pictures of every kind that people send, and kinds that attackers send.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';

import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';

import { ImageError } from '../errors/image-error.js';
import { decodeImage, imageFormatOf, imageLimits, loadImage } from './decode-image.js';
import { encodeImage } from './encode-image.js';

const folder = mkdtempSync(join(tmpdir(), 'limen-image-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const width = 6;
const height = 4;
const rgb = Uint8Array.from({ length: width * height * 3 }, (_, index) => (index * 37) % 256);
const picture = () => sharp(rgb, { raw: { width, height, channels: 3 } });

// Every message ends with what to do, behind what was expected and what came.
const saysWhatToDo = /[.?!] [A-Zn`].+[.?]$/s;

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ImageError)
      return saysWhatToDo.test(error.message) ? error.code : `no advice: ${error.message}`;
    throw error;
  }
  return 'ACCEPTED';
}

/** A PNG that claims a size without having the pixels. */
function emptyPng(claimedWidth: number, claimedHeight: number): Uint8Array {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  header.writeUInt32BE(claimedWidth, 0);
  header.writeUInt32BE(claimedHeight, 4);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('decodeImage', () => {
  it('gives back the pixels of lossless files', async () => {
    for (const encoded of [
      await picture().png().toBuffer(),
      await picture().webp({ lossless: true }).toBuffer(),
      await picture().png({ progressive: true }).toBuffer(),
    ]) {
      expect(await decodeImage(encoded)).toEqual({ width, height, data: rgb });
    }
  });

  it('always makes three channels of eight bits', async () => {
    const cmyk = await picture().toColourspace('cmyk').jpeg().toBuffer();
    const grey = await picture().greyscale().png().toBuffer();
    const greyAlpha = await sharp(await picture().greyscale().png().toBuffer())
      .ensureAlpha(0.5)
      .png()
      .toBuffer();
    const alpha = await picture().ensureAlpha(0.5).png().toBuffer();
    const wide = await picture().toColourspace('rgb16').png().toBuffer();
    const palette = await picture().png({ palette: true, colours: 8 }).toBuffer();
    for (const encoded of [cmyk, grey, greyAlpha, alpha, wide, palette]) {
      const image = await decodeImage(encoded);
      expect([image.width, image.height, image.data.length]).toEqual([width, height, rgb.length]);
    }
    expect((await decodeImage(alpha)).data).toEqual(rgb);
    const [first, second, third] = (await decodeImage(grey)).data;
    expect([second, third]).toEqual([first, first]);
  });

  it('turns a picture as its EXIF says', async () => {
    const turned = await picture().withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const image = await decodeImage(turned);
    expect([image.width, image.height]).toEqual([height, width]);
  });

  it('takes the first frame of a moving picture', async () => {
    const frames = Buffer.concat([Buffer.alloc(27, 10), Buffer.alloc(27, 200)]);
    const gif = await sharp(frames, { raw: { width: 3, height: 6, channels: 3, pageHeight: 3 } })
      .gif({ loop: 0 })
      .toBuffer();
    const image = await decodeImage(gif);
    expect([image.width, image.height]).toEqual([3, 3]);
    expect(image.data[0]).toBeLessThan(40);
  });

  it('does not apply a colour profile, as the reference does not', async () => {
    const profiled = await picture().withIccProfile('p3').png().toBuffer();
    const plain = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
    expect((await decodeImage(profiled)).data).toEqual(new Uint8Array(plain));
  });

  it.each([
    ['no bytes', 'IMAGE_EMPTY', new Uint8Array(0)],
    ['one byte', 'IMAGE_FORMAT_NOT_SUPPORTED', Uint8Array.of(0xff)],
    [
      'an SVG',
      'IMAGE_FORMAT_NOT_SUPPORTED',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
    ],
    [
      'an SVG that loads a file',
      'IMAGE_FORMAT_NOT_SUPPORTED',
      Buffer.from('<?xml version="1.0"?><svg><image href="file:///etc/passwd"/></svg>'),
    ],
    ['a PDF', 'IMAGE_FORMAT_NOT_SUPPORTED', Buffer.from('%PDF-1.7')],
    ['a HEIC', 'IMAGE_FORMAT_NOT_SUPPORTED', Buffer.from('\0\0\0\x18ftypheic')],
    ['a TIFF', 'IMAGE_FORMAT_NOT_SUPPORTED', Buffer.from('II*\0')],
    ['a RIFF that is no WebP', 'IMAGE_FORMAT_NOT_SUPPORTED', Buffer.from('RIFF\0\0\0\0WAVE')],
    ['a JPEG of nothing', 'IMAGE_DAMAGED', Uint8Array.of(0xff, 0xd8, 0xff, 0xd9)],
    ['a PNG signature alone', 'IMAGE_DAMAGED', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)],
    ['a PNG without its pixels', 'IMAGE_DAMAGED', emptyPng(300, 300)],
    ['a PNG of 20,000 x 20,000', 'IMAGE_TOO_MANY_PIXELS', emptyPng(20_000, 20_000)],
    ['a PNG of one pixel', 'IMAGE_TOO_SMALL', emptyPng(1, 1)],
    ['a PNG of 1 x 65,535', 'IMAGE_TOO_SMALL', emptyPng(1, 65_535)],
    ['a PNG of 2 x 402', 'IMAGE_TOO_NARROW', emptyPng(2, 402)],
    ['a file beyond the limit', 'IMAGE_FILE_TOO_LARGE', new Uint8Array(imageLimits.bytes + 1)],
  ])('refuses %s with %s', async (_, code, bytes) => {
    expect(await codeOf(decodeImage(bytes))).toBe(code);
  });

  it('refuses files that are cut off, and never shows what the decoder said', async () => {
    const noise = Buffer.from(Uint8Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * index * 31) % 251));
    const large = () => sharp(noise, { raw: { width: 64, height: 64, channels: 3 } });
    for (const encoded of [
      await large().png().toBuffer(),
      await large().jpeg().toBuffer(),
      await large().webp().toBuffer(),
    ]) {
      const error: unknown = await decodeImage(encoded.subarray(0, Math.floor(encoded.length / 2))).catch(
        (reason: unknown) => reason,
      );
      expect(error).toMatchObject({
        code: 'IMAGE_DAMAGED',
        message: 'image: cannot be decoded: the file is damaged or cut off. Save it again.',
      });
    }
  });

  it('never fails in another way when bytes of a good file are changed', async () => {
    let state = 12345;
    const random = (below: number) => (state = (state * 1103515245 + 12345) % 2147483648) % below;
    for (const encoded of [
      await picture().png().toBuffer(),
      await picture().jpeg().toBuffer(),
      await picture().webp().toBuffer(),
      await picture().gif().toBuffer(),
    ]) {
      for (let run = 0; run < 150; run++) {
        const bytes = new Uint8Array(encoded);
        for (let change = 0; change < 3; change++) bytes[random(bytes.length)] = random(256);
        expect(await codeOf(decodeImage(bytes))).toMatch(/^(ACCEPTED|IMAGE_[A-Z_]+)$/u);
      }
    }
  });
});

describe('loadImage', () => {
  it('reads files and bytes, and says which file cannot be read', async () => {
    const path = join(folder, 'picture.png');
    writeFileSync(path, await picture().png().toBuffer());
    expect(existsSync(path)).toBe(true);
    expect((await loadImage(path)).data).toEqual(rgb);
    expect((await loadImage(await picture().png().toBuffer())).data).toEqual(rgb);
    expect(await codeOf(loadImage(join(folder, 'absent.png')))).toBe('IMAGE_FILE_UNREADABLE');
    expect(await codeOf(loadImage(folder))).toBe('IMAGE_FILE_UNREADABLE');
  });
});

describe('encodeImage', () => {
  it('keeps every pixel in PNG, and writes JPEG and WebP', async () => {
    const image = { width, height, data: rgb };
    expect(await decodeImage(await encodeImage(image))).toEqual(image);
    expect(imageFormatOf(await encodeImage(image, { format: 'jpeg' }))).toBe('jpeg');
    expect(imageFormatOf(await encodeImage(image, { format: 'webp', quality: 50 }))).toBe('webp');
  });

  it('refuses data that do not fill the size, and options out of range', async () => {
    expect(await codeOf(encodeImage({ width, height: height + 1, data: rgb }))).toBe('IMAGE_DATA_INVALID');
    expect(await codeOf(encodeImage({ width, height, data: rgb }, { quality: 0 }))).toBe('IMAGE_DATA_INVALID');
    expect(await codeOf(encodeImage({ width, height, data: rgb }, { format: 'bmp' as 'png' }))).toBe(
      'IMAGE_FORMAT_NOT_SUPPORTED',
    );
  });
});
