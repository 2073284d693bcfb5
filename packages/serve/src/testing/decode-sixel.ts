// Reads sixels as a terminal does, to check what was written. What it does not know makes it give up.

/** A decoded picture: colours in percent, -1 where nothing was written. */
export interface DecodedSixels {
  readonly width: number;
  readonly height: number;
  /** `width * height * 3`. */
  readonly percents: Int16Array;
  readonly paletteSize: number;
  readonly bands: number;
}

const introduction = /^\u001bP0;1;0q"1;1;(\d+);(\d+)([^\u001b]*)\u001b\\$/;
const command = /#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|([$-])/y;

/** @returns undefined for what is no sixel picture */
export function decodeSixels(bytes: string): DecodedSixels | undefined {
  const found = introduction.exec(bytes);
  if (found === null) return undefined;
  const [width, height] = [Number(found[1]), Number(found[2])];
  const body = found[3] ?? '';
  const percents = new Int16Array(width * height * 3).fill(-1);
  const palette = new Map<number, readonly number[]>();
  let colour: readonly number[] = [];
  let [x, top, at] = [0, 0, 0];
  while (at < body.length) {
    command.lastIndex = at;
    const part = command.exec(body);
    if (part === null) return undefined;
    at = command.lastIndex;
    const [, defined, red, green, blue, selected, count, counted, single, move] = part;
    if (defined !== undefined) palette.set(Number(defined), [Number(red), Number(green), Number(blue)]);
    else if (selected !== undefined) colour = palette.get(Number(selected)) ?? [];
    else if (move !== undefined) {
      x = 0;
      if (move === '-') top += 6;
    } else {
      const mask = (counted ?? single ?? '?').charCodeAt(0) - 63;
      for (let left = Number(count ?? 1); left > 0; left--, x++) {
        for (let row = 0; row < 6; row++) {
          if ((mask & (1 << row)) === 0) continue;
          if (x >= width || top + row >= height || colour.length !== 3) return undefined;
          percents.set(colour, ((top + row) * width + x) * 3);
        }
      }
    }
  }
  return { width, height, percents, paletteSize: palette.size, bands: top / 6 + 1 };
}
