// limen demo: one picture described and asked about, one picture drawn, and where the time went.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { JanusModel, RgbImage } from '@limen/models-janus';
import { type Command, Option } from 'commander';

import { UsageError } from '../errors/usage-error.js';
import { integer } from '../requests/fields.js';
import { limits } from '../requests/limits.js';
import { DrawingDisplay } from '../terminal/drawing-display.js';
import { PictureScreen } from '../terminal/pictures/picture-screen.js';
import { printable, writeWords } from '../terminal/printable.js';
import { type DemoCase, demoCase } from './demo-case.js';
import { type DemoTimes, secondsSince, timesTable } from './demo-times.js';
import { judge, verdictLine } from './demo-verdict.js';
import { openModel } from './open-model.js';
import { addModelOptions, addPictureOptions, checked, type ModelOptions, type PictureFlags } from './options.js';

interface DemoOptions extends ModelOptions, PictureFlags {
  readonly image?: string;
  readonly prompt?: string;
  readonly output: string;
  readonly maxTokens: number;
  readonly seed: number;
  readonly json?: true;
}

/** Where text goes; nowhere with `--json`. */
interface Page {
  line(text: string): void;
  words(text: string): void;
}

const longestAnswer = 16;

export function demoCommand(program: Command): void {
  const command = program
    .command('demo')
    .summary('describe one picture, draw one picture, and show where the time went')
    .option('--image <file>', 'picture to describe; default: one of coloured shapes that nothing was trained on')
    .option('--prompt <text>', 'what to draw; default: coloured shapes')
    .option('-o, --output <file>', 'where the drawing goes (PNG)', join('out', 'limen-drawing.png'))
    .addOption(
      new Option('--max-tokens <count>', 'longest description')
        .default(64)
        .argParser(checked(integer({ min: 1, max: 4096 }))),
    )
    .addOption(
      new Option('--seed <integer>', 'other pictures, questions and requests')
        .default(0)
        .argParser(checked(integer({ min: 0, max: limits.seed }))),
    );
  addPictureOptions(addModelOptions(command))
    .option('--json', 'print one line of JSON in place of the text')
    .action(run);
}

async function run(options: DemoOptions): Promise<void> {
  const { image, prompt, seed, output } = options;
  const { encodeImage } = await import('@limen/models-janus');
  const isQuiet = options.json === true;
  const screen = await PictureScreen.open(isQuiet ? 'none' : options.pictures);
  const page: Page = isQuiet
    ? { line: () => {}, words: () => {} }
    : { line: (text) => console.log(text), words: writeWords };
  const imageStart = performance.now();
  const shown = await demoCase({ image, prompt, seed, pictureFile: join(dirname(output), 'limen-picture.png') });
  const imageSeconds = secondsSince(imageStart);
  const loadStart = performance.now();
  using model = await openModel(options);
  const load = secondsSince(loadStart);

  page.line(`\n${shown.file}, ${sizeOf(shown.image)}`);
  await screen.show(shown.image);
  const described = await describe(model, shown, options.maxTokens, page);
  const asked = await ask(model, shown, page);
  page.line(`\nDrawing "${shown.drawPrompt}"`);
  const { drawing, times: drawTimes } = await draw(model, shown.drawPrompt, seed, screen);
  await screen.show(drawing);
  await mkdir(dirname(output), { recursive: true });
  await writeFile(output, await encodeImage(drawing));
  const verdict = await judge(drawing, shown.drawRequest);
  page.line(`Wrote ${output}, ${sizeOf(drawing)}`);
  page.line(verdictLine(verdict));
  const times: DemoTimes = { load, image: imageSeconds, questions: asked.seconds, ...described.times, ...drawTimes };
  page.line(`\n${timesTable(times)}`);
  if (!isQuiet) return;
  console.log(
    JSON.stringify({
      model: model.name,
      device: model.device,
      dtype: model.dtype,
      picture: shown.file,
      text: described.text,
      expected: shown.description,
      answers: asked.answers,
      prompt: shown.drawPrompt,
      output,
      size: [drawing.width, drawing.height],
      verdict,
      times,
    }),
  );
}

async function describe(model: JanusModel, { file, description }: DemoCase, maxNewTokens: number, page: Page) {
  const startedAt = performance.now();
  let firstAt: number | undefined;
  let text = '';
  let promptTokens = 0;
  let tokens = 0;
  page.words('Model: ');
  for await (const chunk of model.describe({ images: [file], maxNewTokens })) {
    firstAt ??= performance.now();
    text += chunk.text;
    ({ promptTokens, completionTokens: tokens } = chunk.usage);
    page.words(chunk.text);
  }
  const end = performance.now();
  page.words('\n');
  if (description !== undefined) page.line(`Right: ${description}`);
  const prompt = ((firstAt ?? end) - startedAt) / 1000;
  return { text, times: { prompt, decode: (end - (firstAt ?? end)) / 1000, promptTokens, tokens } };
}

async function ask(model: JanusModel, { file, questions }: DemoCase, page: Page) {
  const { isRightAnswer } = await import('@limen/janus-tiny');
  const startedAt = performance.now();
  const answers = [];
  for (const { text: question, answer: expected } of questions) {
    let answer = '';
    const request = { images: [file], question, maxNewTokens: longestAnswer };
    for await (const { text } of model.describe(request)) answer += text;
    const right = isRightAnswer({ answer, expected });
    answers.push({ question, answer, expected, right });
    page.line(`\n${question}`);
    page.line(`Model: ${printable(answer)}`);
    page.line(`Right: ${expected} ${right ? '✓' : '✗'}`);
  }
  return { answers, seconds: answers.length === 0 ? 0 : secondsSince(startedAt) };
}

async function draw(model: JanusModel, prompt: string, seed: number, screen: PictureScreen) {
  const display = new DrawingDisplay(screen);
  const { onPreview } = display.reports;
  const startedAt = performance.now();
  let codes = 0;
  let drawnAt = startedAt;
  let previews = 0;
  const onProgress = (done: number, total: number) => {
    display.reports.onProgress(done, total);
    codes = done;
    drawnAt = performance.now();
  };
  try {
    const [drawing] = await model.draw(prompt, {
      seed,
      onProgress,
      ...(onPreview !== undefined && {
        onPreview: async (images: RgbImage[]) => {
          await onPreview(images);
          // The model decodes a preview between reporting progress and handing the preview over.
          previews += secondsSince(drawnAt);
        },
      }),
    });
    if (drawing === undefined) throw new UsageError('demo: the model drew nothing.');
    const pixels = secondsSince(drawnAt);
    display.finish();
    return { drawing, times: { draw: (drawnAt - startedAt) / 1000 - previews, previews, pixels, codes } };
  } catch (error) {
    display.clear();
    throw error;
  }
}

function sizeOf({ width, height }: RgbImage): string {
  return `${width} × ${height} pixels`;
}
