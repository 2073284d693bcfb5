// limen draw: words into a picture.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, extname } from 'node:path';

import { type Command, Option } from 'commander';

import { UsageError } from '../errors/usage-error.js';
import { integer, number } from '../requests/fields.js';
import type { ImageFormat } from '../requests/image-request.js';
import { limits } from '../requests/limits.js';
import { DrawingDisplay } from '../terminal/drawing-display.js';
import { PictureScreen } from '../terminal/pictures/picture-screen.js';
import { openModel } from './open-model.js';
import {
  addModelOptions,
  addPictureOptions,
  addSamplingOptions,
  checked,
  type ModelOptions,
  type PictureFlags,
  type SamplingFlags,
} from './options.js';

interface DrawOptions extends ModelOptions, SamplingFlags, PictureFlags {
  readonly output: string;
  readonly count: number;
  readonly guidance?: number;
  readonly json?: true;
}

const formats: Readonly<Record<string, ImageFormat>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
};

export function drawCommand(program: Command): void {
  const command = program
    .command('draw')
    .summary('draw a picture from words')
    .description('Draws pictures from words and writes them to files.')
    .argument('<prompt>', 'what to draw')
    .option('-o, --output <file>', 'file to write: .png, .jpg or .webp', 'drawing.png')
    .addOption(
      new Option('--count <number>', 'pictures to draw; the files are numbered')
        .default(1)
        .argParser(checked(integer({ min: 1, max: limits.drawings }))),
    )
    .addOption(
      new Option('--guidance <number>', 'how closely to follow the prompt; 5 is usual').argParser(
        checked(number({ min: 0, max: limits.guidance })),
      ),
    );
  addPictureOptions(addSamplingOptions(addModelOptions(command)))
    .option('--json', 'print one line of JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  limen draw "a lighthouse at dusk" -o lighthouse.png --model Janus-Pro-1B\n  limen draw "a red bicycle" -o bicycle.webp --count 4 --seed 1',
    )
    .action(run);
}

async function run(prompt: string, options: DrawOptions): Promise<void> {
  const { output, count, guidance, temperature, topP, seed } = options;
  const format = outputFormat(output);
  const { encodeImage } = await import('@limen/models-janus');
  const screen = await PictureScreen.open(options.json === true ? 'none' : options.pictures);
  using model = await openModel(options);
  const startedAt = performance.now();
  const display = new DrawingDisplay(screen);
  let images;
  try {
    images = await model.draw(prompt, { count, guidance, temperature, topP, seed, ...display.reports });
  } catch (error) {
    display.clear();
    throw error;
  }
  display.finish();
  await screen.show(...images);
  const files = images.map((_, index) => numberedFile(output, index, images.length));
  await Promise.all(
    images.map(async (image, index) => writeFile(files[index] ?? output, await encodeImage(image, { format }))),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  if (options.json === true) console.log(JSON.stringify({ files, seconds, model: model.name, device: model.device }));
  else for (const file of files) console.log(file);
}

/** Checks where the picture will go before anything is computed. */
function outputFormat(output: string): ImageFormat {
  const format = formats[extname(output).toLowerCase()];
  if (format === undefined) {
    throw new UsageError(`draw: output has an unknown ending: expected .png, .jpg or .webp, got ${output}.`);
  }
  if (!existsSync(dirname(output))) {
    throw new UsageError(`draw: output is in a folder that does not exist: ${dirname(output)}. Create it first.`);
  }
  return format;
}

/** `drawing.png`, or `drawing-1.png` and so on when there are several. */
export function numberedFile(output: string, index: number, count: number): string {
  if (count === 1) return output;
  const ending = extname(output);
  return `${output.slice(0, output.length - ending.length)}-${index + 1}${ending}`;
}
