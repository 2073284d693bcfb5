// Pictures by the graphics protocol of kitty (https://sw.kovidgoyal.net/kitty/graphics-protocol/), which Ghostty and
// Konsole speak too: pixels, deflated, in pieces of at most 4096 base64 characters.

import { deflateSync } from 'node:zlib';

import type { RgbPixels } from './scale-picture.js';

const pieceLength = 4096;

/** Where a picture goes. */
export interface KittyPlacement {
  /** Number of the picture; one with the same number takes its place. */
  readonly id: number;
  /** Lines of text that it fills. The cursor stays where it is. */
  readonly rows: number;
}

/**
 * The bytes that show a picture.
 *
 * @param placement - default: a new picture in its own size, the cursor behind it
 */
export function kittyPicture({ width, height, data }: RgbPixels, placement?: KittyPlacement): string {
  const text = deflateSync(data).toString('base64');
  // q=2: no reply, which nobody would read.
  const place = placement === undefined ? '' : `,i=${placement.id},p=1,r=${placement.rows},C=1`;
  let written = '';
  for (let at = 0; at < text.length; at += pieceLength) {
    const start = at === 0 ? `a=T,q=2,f=24,o=z,s=${width},v=${height}${place},` : 'q=2,';
    const more = at + pieceLength < text.length ? 1 : 0;
    written += `\u001b_G${start}m=${more};${text.slice(at, at + pieceLength)}\u001b\\`;
  }
  return written;
}

/** The bytes that take a picture away. */
export function kittyRemoval(id: number): string {
  return `\u001b_Ga=d,d=I,i=${id},q=2\u001b\\`;
}
