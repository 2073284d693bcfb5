// Larger by a whole factor, so that every pixel stays a square; smaller by averages; several beside each other.

/** A picture of 8-bit RGB. */
export interface RgbPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** The picture with every pixel as a square of `factor` pixels. */
export function enlarged({ width, height, data }: RgbPixels, factor: number): RgbPixels {
  const larger = new Uint8Array(width * height * factor * factor * 3);
  const row = width * factor * 3;
  for (let y = 0; y < height; y++) {
    const start = y * factor * row;
    for (let x = 0; x < width * factor; x++) {
      const from = (y * width + Math.floor(x / factor)) * 3;
      larger.set(data.subarray(from, from + 3), start + x * 3);
    }
    for (let copy = 1; copy < factor; copy++) larger.copyWithin(start + copy * row, start, start + row);
  }
  return { width: width * factor, height: height * factor, data: larger };
}

/** The picture at most `most` pixels wide; each pixel is the average of those that it stands for. */
export function shrunk(image: RgbPixels, most: number): RgbPixels {
  if (image.width <= most) return image;
  const width = Math.max(1, Math.floor(most));
  const height = Math.max(1, Math.round((image.height * width) / image.width));
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      data.set(averageColour(image, width, height, column, row), (row * width + column) * 3);
    }
  }
  return { width, height, data };
}

/** Pictures of equal height in one row, 1/16 of their width apart; black in between. */
export function besideEachOther(images: readonly RgbPixels[]): RgbPixels | undefined {
  const [first] = images;
  if (first === undefined || images.length === 1) return first;
  const gap = Math.ceil(first.width / 16);
  const width = images.reduce((sum, image) => sum + image.width + gap, -gap);
  const data = new Uint8Array(width * first.height * 3);
  let left = 0;
  for (const image of images) {
    for (let y = 0; y < first.height; y++) {
      data.set(image.data.subarray(y * image.width * 3, (y + 1) * image.width * 3), (y * width + left) * 3);
    }
    left += image.width + gap;
  }
  return { width, height: first.height, data };
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
