// Pictures for tests of the terminal, by equal seeds equal.

import type { RgbPixels } from '../terminal/pictures/scale-picture.js';

/** A picture of few colours in blocks, or of as many as there are pixels. */
export function testPicture(width: number, height: number, kind: 'flat' | 'noise' = 'flat'): RgbPixels {
  const data = new Uint8Array(width * height * 3);
  let state = 1;
  for (let at = 0; at < data.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const block = Math.floor(at / 3 / 5) + (at % 3);
    data[at] = kind === 'noise' ? state >>> 24 : (block % 3) * 102;
  }
  return { width, height, data };
}

/** A stream that remembers what was written. */
export class RecordingStream {
  readonly isTTY: boolean;
  readonly columns = 80;
  readonly rows: number;
  text = '';

  constructor({ isTTY = true, rows = 24 } = {}) {
    this.isTTY = isTTY;
    this.rows = rows;
  }

  write(text: string): void {
    this.text += text;
  }
}
