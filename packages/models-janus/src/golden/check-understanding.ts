// Golden checks of reading: tower, decoder layer by layer, logits, and generated ids eager, captured and in a batch.

import { fromArray, read } from '@limen/tensor';

import { generateText } from '../generation/generate-text.js';
import { runEagerly, type StepRunnerFactory } from '../generation/step-runner.js';
import { PromptBatch } from '../generation/prompt-batch.js';
import { PrefillStep } from '../llama/key-value-step.js';
import type { GoldenPrompt } from './golden-folder.js';
import { goldenPixels, type GoldenRun, runCaptured, Sightings } from './golden-run.js';
import { compareChoices, compareIds, compareLogits } from './verdict.js';

/** Vision tower and aligner. */
export async function checkTower(run: GoldenRun): Promise<void> {
  const seen = new Sightings();
  using pixels = goldenPixels(run, [0, 1, 2]);
  using aligned = run.network.encodeImages(pixels, seen.observe);
  await read(aligned);
  await seen.compare(run, 'vis');
}

/** Hidden states and logits over a whole sequence; returns the logits `[T, V]`. */
async function forward(
  { network }: GoldenRun,
  ids: readonly number[],
  images: readonly number[],
  run: GoldenRun,
  seen?: Sightings,
): Promise<ArrayLike<number>> {
  const { tokens } = network.config;
  using batch = new PromptBatch([ids], tokens.imagePlaceholder, network.device);
  using pixels = images.length > 0 ? goldenPixels(run, images) : undefined;
  using encoded = pixels === undefined ? undefined : network.encodeImages(pixels);
  using rows = encoded?.reshape(-1, network.config.text.hiddenSize);
  const placed = rows === undefined || batch.imageIndex === undefined ? undefined : { rows, index: batch.imageIndex };
  using embedded = network.embedPrompt(batch.ids, placed);
  using hidden = network.decoder.forward(embedded, new PrefillStep(batch.positions, batch.rowLengths), seen?.observe);
  using logits = network.textLogits(hidden);
  return read(logits);
}

/** Layers and logits of one text prompt and one with a picture. */
export async function checkPasses(run: GoldenRun): Promise<void> {
  for (const name of ['txt', 'mm']) {
    const { input_ids = [], images = [] } = run.golden.prompt(name);
    const seen = new Sightings();
    const logits = await forward(run, input_ids, images, run, seen);
    await seen.compare(run, name);
    run.report(compareLogits(`${name}.logits`, logits, run.golden.tensor(`${name}.logits`).values, run.tolerance));
  }
}

/** Greedy ids of single prompts and of the padded batch. In a 16-bit type each id may be a near tie of the best. */
export async function checkGeneration(run: GoldenRun): Promise<void> {
  const { golden, report, tolerance } = run;
  const single = ['txt', 'mm'].map((name) => [`gen.${name}.ids`, [golden.prompt(name)]] as const);
  const batch = golden.manifest.prompts['batch'] as readonly GoldenPrompt[];
  for (const [name, prompts] of [...single, ['gen.batch.ids', batch] as const]) {
    const expected = golden.tensor(name).values;
    const steps = expected.length / prompts.length;
    const eager = await greedyIds(run, prompts, steps, runEagerly);
    const captured = await greedyIds(run, prompts, steps, runCaptured);
    report(compareIds(`${name} · captured equals eager`, captured, eager));
    if (tolerance.exactIds) report(compareIds(name, eager, expected));
    else report(await teacherForced(run, name, prompts, expected, steps));
  }
  using rows = new PromptBatch(
    batch.map(({ input_ids = [] }) => input_ids),
    run.network.config.tokens.imagePlaceholder,
    'cpu',
  );
  const lengths = fromArray(rows.lengths, [batch.length], { dtype: 'i32' });
  const mask = golden.tensor('gen.batch.attention_mask');
  const width = mask.shape[1] ?? 0;
  const counted = rows.lengths.map(
    (_, row) => Array.from(mask.values.subarray(row * width, (row + 1) * width)).filter((value) => value === 1).length,
  );
  report(compareIds('gen.batch.attention_mask', await read(lengths), counted));
  lengths.dispose();
}

async function greedyIds(
  run: GoldenRun,
  prompts: readonly GoldenPrompt[],
  steps: number,
  stepRunner: StepRunnerFactory,
): Promise<Int32Array> {
  const images = prompts.flatMap((prompt) => prompt.images ?? []);
  using pixels = images.length > 0 ? goldenPixels(run, images) : undefined;
  const ids = new Int32Array(prompts.length * steps);
  const drawn = prompts.map(() => 0);
  const generation = generateText(run.network, {
    prompts: prompts.map(({ input_ids = [] }) => input_ids),
    imageToken: run.network.config.tokens.imagePlaceholder,
    pixels,
    sampling: prompts.map(() => ({ temperature: 0, topK: 0, topP: 1, seed: 0 })),
    maxNewTokens: steps,
    stopTokens: [],
    stepRunner,
  });
  for await (const { row, token } of generation) {
    const at = drawn[row] ?? 0;
    ids[row * steps + at] = token;
    drawn[row] = at + 1;
  }
  return ids;
}

async function teacherForced(
  run: GoldenRun,
  name: string,
  prompts: readonly GoldenPrompt[],
  expected: ArrayLike<number>,
  steps: number,
) {
  const chosen: number[] = [];
  const width = run.network.config.text.vocabularySize;
  for (const [row, { input_ids = [], images = [] }] of prompts.entries()) {
    const ids = Array.from({ length: steps }, (_, step) => expected[row * steps + step] ?? 0);
    const logits = await forward(run, [...input_ids, ...ids.slice(0, -1)], images, run);
    const start = (input_ids.length - 1) * width;
    for (let index = 0; index < steps * width; index++) chosen.push(logits[start + index] ?? NaN);
  }
  return compareChoices(`${name} · choices`, chosen, expected, run.tolerance);
}
