// A picture that is redrawn in place, above the line of a progress bar. Its lines are made free once; then the cursor goes
// up, the picture is written over the last one, and the cursor comes back.

import { halfBlocks } from './half-blocks.js';
import { iterm2Picture } from './iterm2.js';
import { kittyPicture, kittyRemoval } from './kitty.js';
import { comfortable, type PictureScreen, pngOf } from './picture-screen.js';
import { besideEachOther, type RgbPixels } from './scale-picture.js';

const pixelRows = 16;
const leastRows = 4;
const kittyId = 19_651;

/** Shows the latest of several versions of a picture. The cursor is on the bar's line before and after. */
export class LivePicture {
  readonly #screen: PictureScreen;
  #rows = 0;

  constructor(screen: PictureScreen) {
    this.#screen = screen;
  }

  /**
   * Whether the screen can redraw: a terminal of some height that takes lines of text as the measure of a picture, which
   * sixels do not.
   */
  get isPossible(): boolean {
    const { protocol, stream } = this.#screen;
    return stream.isTTY === true && protocol !== 'none' && protocol !== 'sixel' && this.#most >= leastRows;
  }

  /** Replaces the picture; several are beside each other. */
  async update(images: readonly RgbPixels[]): Promise<void> {
    const image = besideEachOther(images);
    if (image === undefined || !this.isPossible) return;
    const { stream } = this.#screen;
    const picture = await this.#draw(image);
    if (this.#rows === 0) {
      this.#rows = picture.rows;
      stream.write(`\r\u001b[K${'\n'.repeat(picture.rows)}`);
    }
    // Save, up, draw, restore.
    stream.write(`\u001b7\r\u001b[${this.#rows}A${picture.bytes}\u001b8`);
  }

  /** Takes the picture and the bar away; the cursor is where the picture began. */
  clear(): void {
    if (this.#rows === 0) return;
    const removal = this.#screen.protocol === 'kitty' ? kittyRemoval(kittyId) : '';
    this.#screen.stream.write(`${removal}\r\u001b[${this.#rows}A\u001b[J`);
    this.#rows = 0;
  }

  /** Lines that are free above the bar. */
  get #most(): number {
    return (this.#screen.stream.rows || 24) - 2;
  }

  async #draw(image: RgbPixels): Promise<{ readonly bytes: string; readonly rows: number }> {
    const { protocol, stream } = this.#screen;
    // Once lines are free, no version of the picture may need more of them.
    const most = this.#rows || this.#most;
    const rows = Math.min(pixelRows, most);
    if (protocol === 'kitty') return { rows, bytes: kittyPicture(comfortable(image), { id: kittyId, rows }) };
    if (protocol === 'iterm2') return { rows, bytes: iterm2Picture(await pngOf(comfortable(image)), rows) };
    const fitting = Math.floor((2 * most * image.width) / image.height);
    const bytes = halfBlocks(image, Math.min(64, (stream.columns || 80) - 2, fitting));
    return { bytes, rows: bytes.split('\n').length };
  }
}
