// Shows pictures on standard error, where progress is too: standard output carries words and names of files only.

import { halfBlocks } from './half-blocks.js';
import { iterm2Picture } from './iterm2.js';
import { kittyPicture } from './kitty.js';
import { showsSixels } from './ask-for-sixel.js';
import { guessProtocol, type PictureProtocol, type TerminalFacts } from './picture-protocol.js';
import { besideEachOther, enlarged, type RgbPixels, shrunk } from './scale-picture.js';
import { sixelPicture } from './sixel.js';

/** Where pictures go; `process.stderr` is one. */
export interface PictureStream extends TerminalFacts {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** What `--pictures` takes. */
export type PictureChoice = PictureProtocol | 'auto';

// Small pictures grow up to the first, by a whole factor; large ones shrink to the second. Pixels.
const comfortableWidth = 256;
const greatestWidth = 512;
const blockColumns = 64;

/** A place for pictures. */
export class PictureScreen {
  readonly stream: PictureStream;
  readonly protocol: PictureProtocol;

  constructor(stream: PictureStream, protocol: PictureProtocol) {
    this.stream = stream;
    this.protocol = protocol;
  }

  /** The screen of this process: as chosen, or as its terminal can. */
  static async open(choice: PictureChoice): Promise<PictureScreen> {
    const { stdin, stderr } = process;
    if (choice !== 'auto') return new PictureScreen(stderr, choice);
    const { protocol, worthAsking } = guessProtocol(stderr, process.env);
    const hasSixels = worthAsking && (await showsSixels(stdin, stderr));
    return new PictureScreen(stderr, hasSixels ? 'sixel' : protocol);
  }

  /** Shows pictures beside each other, and goes to the next line. */
  async show(...images: readonly RgbPixels[]): Promise<void> {
    const image = besideEachOther(images);
    if (image === undefined || this.protocol === 'none') return;
    this.stream.write(`${await this.#bytes(image)}\n`);
  }

  async #bytes(image: RgbPixels): Promise<string> {
    switch (this.protocol) {
      case 'kitty':
        return kittyPicture(comfortable(image));
      case 'iterm2':
        return iterm2Picture(await pngOf(comfortable(image)));
      case 'sixel':
        return sixelPicture(comfortable(image));
      case 'blocks':
        return halfBlocks(image, Math.min(blockColumns, (this.stream.columns || 80) - 2));
      case 'none':
        return '';
    }
  }
}

/** The picture in a size that can be looked at. */
export function comfortable(image: RgbPixels): RgbPixels {
  const factor = Math.floor(comfortableWidth / Math.max(image.width, image.height));
  return factor > 1 ? enlarged(image, factor) : shrunk(image, greatestWidth);
}

/** The picture as a PNG file. */
export async function pngOf(image: RgbPixels): Promise<Uint8Array> {
  const { encodeImage } = await import('@limen/models-janus');
  return encodeImage(image);
}
