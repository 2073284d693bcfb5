// Pictures in a terminal: each character is an upper half block, whose foreground and background are two pixels.

/** A picture of 8-bit RGB. */
export interface RgbPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Whether a stream is a terminal that shows 24-bit colours. */
export function canShowPictures(
  stream: { readonly isTTY?: boolean; getColorDepth?: () => number },
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  const forbidden = (environment['NO_COLOR'] ?? '') !== '';
  return stream.isTTY === true && !forbidden && (stream.getColorDepth?.() ?? 1) >= 24;
}

/** The picture as lines of text, at most `columns` wide; larger pictures are averaged, smaller ones stay as they are. */
export function halfBlocks(image: RgbPixels, columns: number): string {
  const width = Math.max(1, Math.min(columns, image.width));
  const height = Math.max(1, Math.round((image.height * width) / image.width));
  const colour = (column: number, row: number) => averageColour(image, width, height, column, row).join(';');
  const lines: string[] = [];
  for (let row = 0; row < height; row += 2) {
    let line = '';
    for (let column = 0; column < width; column++) {
      const lower = row + 1 < height ? `\u001b[48;2;${colour(column, row + 1)}m` : '\u001b[49m';
      line += `\u001b[38;2;${colour(column, row)}m${lower}▀`;
    }
    lines.push(`${line}\u001b[0m`);
  }
  return lines.join('\n');
}

function averageColour(image: RgbPixels, width: number, height: number, column: number, row: number): number[] {
  const left = Math.floor((column * image.width) / width);
  const right = Math.max(left + 1, Math.floor(((column + 1) * image.width) / width));
  const top = Math.floor((row * image.height) / height);
  const bottom = Math.max(top + 1, Math.floor(((row + 1) * image.height) / height));
  const sums = [0, 0, 0];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const at = (y * image.width + x) * 3;
      for (let channel = 0; channel < 3; channel++)
        sums[channel] = (sums[channel] ?? 0) + (image.data[at + channel] ?? 0);
    }
  }
  return sums.map((sum) => Math.round(sum / ((right - left) * (bottom - top))));
}
