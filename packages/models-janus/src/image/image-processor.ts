// From a decoded picture to what the vision tower reads: fit into a square, pad with grey, normalise.
// Source: janus/models/image_processing_vlm.py; transformers differs in how it rounds the size.

import { ConfigFields, readJsonFile } from '../janus-pro/config-fields.js';
import { resizeBicubic } from './bicubic.js';
import type { RgbImage } from './rgb-image.js';

/** How the shorter side is computed: DeepSeek truncates it (default), transformers rounds it half to even. */
export type SizeRule = 'truncate' | 'round';

/** What preprocessor_config.json says. */
export interface ImageProcessing {
  /** Side of the square, pixels. */
  readonly size: number;
  /** Least length of a side before padding, pixels. */
  readonly minSize: number;
  /** Colour of the padding, 0 to 255. */
  readonly background: readonly number[];
  /** Per channel, after scaling to 0…1. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  /** Factor from bytes to 0…1. */
  readonly rescale: number;
}

/** Makes pixels for the vision tower. */
export class ImageProcessor {
  // Every byte has one value per channel, so the arithmetic is done once, in the reference's order and precision.
  private readonly values: readonly Float32Array[];

  constructor(readonly settings: ImageProcessing) {
    const { rescale, mean, deviation } = settings;
    this.values = mean.map((average, channel) =>
      Float32Array.from({ length: 256 }, (_, byte) => {
        const scaled = Math.fround(byte * rescale);
        return Math.fround(Math.fround(scaled - Math.fround(average)) / Math.fround(deviation[channel] ?? 1));
      }),
    );
  }

  /**
   * Reads preprocessor_config.json of either publisher.
   *
   * @param path - undefined when there is none: Janus-Pro's own values
   * @param imageSize - side that the vision tower takes, pixels
   * @throws {ConfigError} a field is out of range, or the size is not the tower's
   */
  static load(path: string | undefined, imageSize: number): ImageProcessor {
    const fields = ConfigFields.of(path === undefined ? {} : readJsonFile(path), path ?? 'preprocessor_config.json');
    return new ImageProcessor(readImageProcessing(fields, imageSize));
  }

  /** Size of a picture inside the square. */
  fittedSize(
    { width, height }: { readonly width: number; readonly height: number },
    sizeRule: SizeRule = 'truncate',
  ): { width: number; height: number } {
    const { size, minSize } = this.settings;
    const longest = Math.max(width, height);
    const fit = (side: number) =>
      Math.max(
        sizeRule === 'truncate' ? Math.trunc((side / longest) * size) : roundHalfToEven(side * (size / longest)),
        minSize,
      );
    return { width: fit(width), height: fit(height) };
  }

  /**
   * @returns `[size, size, 3]` f32, channels last; with the usual mean and deviation of 0.5, values from -1 to 1
   */
  process(image: RgbImage, options: { readonly sizeRule?: SizeRule } = {}): Float32Array {
    const { size, background } = this.settings;
    const fitted = this.fittedSize(image, options.sizeRule);
    const { width, height, data } = resizeBicubic(image, fitted.width, fitted.height);
    const top = Math.floor((size - height) / 2);
    const left = Math.floor((size - width) / 2);
    const [red = emptyTable, green = emptyTable, blue = emptyTable] = this.values;
    const pixels = new Float32Array(size * size * 3);
    const [backRed = 0, backGreen = 0, backBlue = 0] = background;
    for (let at = 0; at < pixels.length; at += 3) {
      pixels[at] = red[backRed] ?? 0;
      pixels[at + 1] = green[backGreen] ?? 0;
      pixels[at + 2] = blue[backBlue] ?? 0;
    }
    for (let y = 0; y < height; y++) {
      let target = ((top + y) * size + left) * 3;
      let source = y * width * 3;
      for (let x = 0; x < width; x++, target += 3, source += 3) {
        pixels[target] = red[data[source] ?? 0] ?? 0;
        pixels[target + 1] = green[data[source + 1] ?? 0] ?? 0;
        pixels[target + 2] = blue[data[source + 2] ?? 0] ?? 0;
      }
    }
    return pixels;
  }
}

const emptyTable = new Float32Array(256);

/** `[S, S, 3]` pixels as `[3, S, S]`. */
export function channelsFirstPixels(pixels: Float32Array): Float32Array {
  const area = pixels.length / 3;
  const result = new Float32Array(pixels.length);
  for (let at = 0; at < area; at++) {
    for (let channel = 0; channel < 3; channel++) result[channel * area + at] = pixels[at * 3 + channel] ?? 0;
  }
  return result;
}

function readImageProcessing(fields: ConfigFields, imageSize: number): ImageProcessing {
  for (const step of ['do_resize', 'do_rescale', 'do_normalize']) fields.only(step, true);
  fields.only('resample', 3);
  const bounds = { most: 4096, otherwise: imageSize };
  // transformers writes size.height and size.width, DeepSeek image_size.
  const sides = fields.has('size') ? fields.object('size') : undefined;
  const size = sides?.integer('height', bounds) ?? fields.integer('image_size', bounds);
  sides?.equal('width', sides.integer('width', bounds), size, 'size.height');
  (sides ?? fields).equal(
    sides === undefined ? 'image_size' : 'height',
    size,
    imageSize,
    'what the vision tower takes',
  );
  return {
    size,
    minSize: fields.integer('min_size', { most: size, otherwise: Math.min(14, size) }),
    background: fields.numbers('background_color', { most: 255 }, [127, 127, 127]).map(Math.trunc),
    mean: fields.numbers('image_mean', { most: 1 }, [0.5, 0.5, 0.5]),
    deviation: fields.numbers('image_std', { least: 1e-3, most: 10 }, [0.5, 0.5, 0.5]),
    rescale: fields.number('rescale_factor', { least: 1e-6, most: 1, otherwise: 0.00392156862745098 }),
  };
}

// Python's round().
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
