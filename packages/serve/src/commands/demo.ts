// limen demo: one picture described, one picture drawn, and where the time went.

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { JanusModel, RgbImage } from '@limen/models-janus';
import { type Command, Option } from 'commander';

import { defaultModel } from '../default-model.js';
import { UsageError } from '../errors/usage-error.js';
import { integer } from '../requests/fields.js';
import { limits } from '../requests/limits.js';
import { canShowPictures, halfBlocks } from '../terminal/half-blocks.js';
import { writeWords } from '../terminal/printable.js';
import { ProgressBar } from '../terminal/progress-bar.js';
import { table } from '../terminal/table.js';
import { openModel } from './open-model.js';
import { addModelOptions, checked, type ModelOptions } from './options.js';

interface DemoOptions extends ModelOptions {
  readonly image?: string;
  readonly prompt: string;
  readonly output: string;
  readonly maxTokens: number;
  readonly seed: number;
  readonly json?: true;
}

/** Seconds by stage, and what was made in them. */
export interface DemoTimes {
  readonly load: number;
  readonly image: number;
  readonly prompt: number;
  readonly decode: number;
  readonly draw: number;
  readonly pixels: number;
  readonly promptTokens: number;
  readonly tokens: number;
  readonly codes: number;
}

export function demoCommand(program: Command): void {
  const command = program
    .command('demo')
    .summary('describe one picture, draw one picture, and show where the time went')
    .option('--image <file>', 'picture to describe; default: one of the test checkpoint')
    .option('--prompt <text>', 'what to draw', 'a lighthouse at dusk')
    .option('-o, --output <file>', 'where the drawing goes (PNG)', join('out', 'limen-drawing.png'))
    .addOption(
      new Option('--max-tokens <count>', 'longest description')
        .default(64)
        .argParser(checked(integer({ min: 1, max: 4096 }))),
    )
    .addOption(new Option('--seed <integer>').default(0).argParser(checked(integer({ min: 0, max: limits.seed }))));
  addModelOptions(command).option('--json', 'print one line of JSON in place of the text').action(run);
}

async function run(options: DemoOptions): Promise<void> {
  const { loadImage, encodeImage } = await import('@limen/models-janus');
  const isQuiet = options.json === true;
  const picture = options.image ?? defaultModel().picture;
  if (!existsSync(picture)) throw new UsageError(`demo: image does not exist: ${picture}. Name a file with --image.`);
  const imageStart = performance.now();
  const pixels = await loadImage(picture);
  const image = secondsSince(imageStart);
  const loadStart = performance.now();
  using model = await openModel(options);
  const load = secondsSince(loadStart);

  if (!isQuiet) console.log(`\nDescribing ${picture}`);
  if (!isQuiet) show(pixels);
  const description = await describe(model, picture, options);
  if (!isQuiet) console.log(`\nDrawing "${options.prompt}"`);
  const drawing = await draw(model, options);
  await mkdir(dirname(options.output), { recursive: true });
  await writeFile(options.output, await encodeImage(drawing.image));
  const times: DemoTimes = { load, image, ...description.times, ...drawing.times };
  if (isQuiet) {
    const { name, device, dtype } = model;
    console.log(JSON.stringify({ model: name, device, dtype, text: description.text, output: options.output, times }));
    return;
  }
  show(drawing.image);
  console.log(`Wrote ${options.output}\n\n${timesTable(times)}`);
}

async function describe(model: JanusModel, picture: string, { maxTokens, json }: DemoOptions) {
  const startedAt = performance.now();
  let firstAt: number | undefined;
  let text = '';
  let promptTokens = 0;
  let tokens = 0;
  for await (const chunk of model.describe({ images: [picture], maxNewTokens: maxTokens })) {
    firstAt ??= performance.now();
    text += chunk.text;
    ({ promptTokens, completionTokens: tokens } = chunk.usage);
    if (json !== true) writeWords(chunk.text);
  }
  if (json !== true) process.stdout.write('\n');
  const end = performance.now();
  const prompt = ((firstAt ?? end) - startedAt) / 1000;
  return { text, times: { prompt, decode: (end - (firstAt ?? end)) / 1000, promptTokens, tokens } };
}

async function draw(model: JanusModel, { prompt, seed }: DemoOptions) {
  const bar = new ProgressBar('Drawing');
  const startedAt = performance.now();
  let codes = 0;
  let drawnAt = startedAt;
  const onProgress = (done: number, total: number) => {
    bar.update(done, total);
    codes = done;
    drawnAt = performance.now();
  };
  const [image] = await model.draw(prompt, { seed, onProgress });
  bar.finish();
  if (image === undefined) throw new UsageError('demo: the model drew nothing.');
  return { image, times: { draw: (drawnAt - startedAt) / 1000, pixels: secondsSince(drawnAt), codes } };
}

function show(image: RgbImage): void {
  if (canShowPictures(process.stdout)) console.log(halfBlocks(image, Math.min(64, (process.stdout.columns || 80) - 2)));
}

/** One row per stage: seconds, share, and speed where something was made. */
export function timesTable(times: DemoTimes): string {
  const { load, image, prompt, decode, draw, pixels, promptTokens, tokens, codes } = times;
  const total = load + image + prompt + decode + draw + pixels;
  const speed = (count: number, seconds: number, unit: string) =>
    seconds > 0 && count > 0 ? `${(count / seconds).toFixed(1)} ${unit}/s` : '';
  const row = (name: string, seconds: number, note = '') => [
    name,
    `${seconds.toFixed(3)} s`,
    `${Math.round((100 * seconds) / total)} %`,
    note,
  ];
  return table([
    ['Where the time went', 'time', 'share', 'speed'],
    row('Load the weights', load),
    row('Read the picture file', image),
    row('Picture and prompt, to the first word', prompt, speed(promptTokens, prompt, 'tokens')),
    row('Decode words', decode, speed(tokens - 1, decode, 'tokens')),
    row('Draw', draw, speed(codes, draw, 'tokens')),
    row('Decode pixels', pixels),
    row('Together', total),
  ]);
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
