// limen describe: a picture in words.

import { type Command, Option } from 'commander';

import { integer } from '../requests/fields.js';
import { PictureScreen } from '../terminal/pictures/picture-screen.js';
import { writeWords } from '../terminal/printable.js';
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

interface DescribeOptions extends ModelOptions, SamplingFlags, PictureFlags {
  readonly show?: true;
  readonly maxTokens?: number;
  readonly json?: true;
}

export function describeCommand(program: Command): void {
  const command = program
    .command('describe')
    .summary('describe a picture in words, or answer a question about it')
    .description('Describes a picture (PNG, JPEG, WebP or GIF) in words, or answers a question about it.')
    .argument('<image>', 'file of the picture')
    .argument('[question]', 'what to ask; default: a description');
  addPictureOptions(addSamplingOptions(addModelOptions(command)))
    .option('--show', 'show the picture first, where the terminal can')
    .addOption(
      new Option('--max-tokens <count>', 'longest answer').argParser(checked(integer({ min: 1, max: 1_000_000 }))),
    )
    .option('--json', 'print one line of JSON when the answer is complete')
    .addHelpText(
      'after',
      '\nExamples:\n  limen describe cat.jpg --model Janus-Pro-1B\n  limen describe receipt.png "What is the total?" --max-tokens 20',
    )
    .action(run);
}

async function run(image: string, question: string | undefined, options: DescribeOptions): Promise<void> {
  const { loadImage } = await import('@limen/models-janus');
  // A file that is no picture is reported before a large model is loaded.
  const pixels = await loadImage(image);
  if (options.show === true) await (await PictureScreen.open(options.pictures)).show(pixels);
  using model = await openModel(options);
  const startedAt = performance.now();
  let text = '';
  let last: { readonly finishReason?: string; readonly usage?: object } = {};
  const { temperature, topP, seed, maxTokens: maxNewTokens } = options;
  for await (const chunk of model.describe({ images: [image], question, maxNewTokens, temperature, topP, seed })) {
    text += chunk.text;
    last = chunk;
    if (options.json !== true) writeWords(chunk.text);
  }
  if (options.json !== true) {
    process.stdout.write('\n');
    return;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const { finishReason, usage } = last;
  console.log(JSON.stringify({ text, finishReason, usage, seconds, model: model.name, device: model.device }));
}
