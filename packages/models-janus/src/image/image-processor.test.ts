// Pixels against the reference's, bit for bit.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { ConfigError } from '../errors/config-error.js';
import { describeGolden } from '../golden/for-each-golden.js';
import { openGoldenFolder } from '../golden/golden-folder.js';
import { resizeBicubic } from './bicubic.js';
import { loadImage } from './decode-image.js';
import { channelsFirstPixels, ImageProcessor } from './image-processor.js';

describeGolden(['janus-a', 'janus-b', 'janus-c'], 'ImageProcessor', (path) => {
  it('makes the recorded pixels by either rule for sizes', async () => {
    const golden = openGoldenFolder(path);
    for (const [name, sizeRule] of [
      ['pp.pixel_values', 'truncate'],
      ['pp.pixel_values_hf', 'round'],
    ] as const) {
      const { shape, values } = golden.tensor(name);
      const processor = ImageProcessor.load(join(path, 'preprocessor_config.json'), shape[2] ?? 0);
      for (const [index, file] of golden.images.entries()) {
        const image = await loadImage(file);
        const size = values.length / golden.images.length;
        const expected = values.slice(index * size, (index + 1) * size);
        expect(channelsFirstPixels(processor.process(image, { sizeRule }))).toEqual(expected);
        const sizes = golden.manifest[
          sizeRule === 'truncate' ? 'resized_wh_trunc' : 'resized_wh_round'
        ] as readonly (readonly number[])[];
        const { width, height } = processor.fittedSize(image, sizeRule);
        expect([width, height]).toEqual(sizes[index]);
      }
    }
  });
});

const enlarged = [
  0, 47, 255, 98, 51, 157, 255, 58, 0, 98, 65, 157, 0, 69, 255, 128, 64, 128, 128, 68, 128, 128, 75, 128, 128, 82, 128,
  128, 86, 128, 255, 81, 0, 157, 85, 98, 0, 92, 255, 157, 99, 98, 255, 103, 0,
];
const shrunk = [128, 68, 128, 128, 82, 128];

describe('resizeBicubic', () => {
  const image = {
    width: 3,
    height: 2,
    data: Uint8Array.from([0, 50, 255, 255, 60, 0, 0, 70, 255, 255, 80, 0, 0, 90, 255, 255, 100, 0]),
  };

  it('gives what Pillow gives when it enlarges and when it shrinks', () => {
    // Image.fromarray(...).resize((5, 3), BICUBIC) and .resize((2, 1), BICUBIC), computed with the reference resampler.
    expect([...resizeBicubic(image, 5, 3).data]).toEqual(enlarged);
    expect([...resizeBicubic(image, 2, 1).data]).toEqual(shrunk);
  });

  it('leaves a picture of the right size alone, and one colour one colour', () => {
    expect(resizeBicubic(image, 3, 2)).toBe(image);
    const plain = { width: 7, height: 5, data: new Uint8Array(105).fill(201) };
    for (const [width, height] of [
      [2, 2],
      [64, 64],
      [1, 100],
    ] as const) {
      expect(resizeBicubic(plain, width, height)).toEqual({
        width,
        height,
        data: new Uint8Array(width * height * 3).fill(201),
      });
    }
  });
});

describe('ImageProcessor.load', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limen-processor-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const load = (json: object) => {
    const path = join(folder, 'preprocessor_config.json');
    writeFileSync(path, JSON.stringify(json));
    return ImageProcessor.load(path, 384).settings;
  };

  it("reads both publishers' files, and needs neither", () => {
    const usual = ImageProcessor.load(undefined, 384).settings;
    expect(usual).toMatchObject({ size: 384, minSize: 14, background: [127, 127, 127], mean: [0.5, 0.5, 0.5] });
    expect(
      load({ size: { height: 384, width: 384 }, background_color: [127, 127, 127], resample: 3, do_resize: true }),
    ).toEqual(usual);
    expect(load({ image_size: 384, min_size: 14, do_normalize: true, image_std: [0.5, 0.5, 0.5] })).toEqual(usual);
  });

  it.each([
    ['size.height', { size: { height: 448, width: 448 } }],
    ['size.width', { size: { height: 384, width: 383 } }],
    ['image_size', { image_size: 1024 }],
    ['min_size', { min_size: 400 }],
    ['image_mean', { image_mean: [0.5, 0.5] }],
    ['image_std', { image_std: [0, 0, 0] }],
    ['background_color', { background_color: [256, 0, 0] }],
    ['rescale_factor', { rescale_factor: 255 }],
    ['do_normalize', { do_normalize: false }],
    ['resample', { resample: 2 }],
  ])('names %s when it cannot be used', (field, json) => {
    let thrown: unknown;
    try {
      load(json);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ConfigError);
    expect((thrown as ConfigError).details.field).toBe(field);
  });
});
