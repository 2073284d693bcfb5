// Golden checks of drawing: guided logits, codes eager and captured, the image decoder stage by stage, pixels.

import { fromArray, imageToBytes, read, type Tensor } from '@limen/tensor';

import { generateImageCodes } from '../generation/generate-images.js';
import { unconditionalIds } from '../janus-pro/prompt.js';
import { runEagerly, type StepRunnerFactory } from '../generation/step-runner.js';
import { PrefillStep } from '../llama/key-value-step.js';
import { channelsFirst, type GoldenRun, runCaptured, Sightings } from './golden-run.js';
import { compareChoices, compareHidden, compareIds, compareLogits, comparePixels } from './verdict.js';

/** Everything about the two recorded drawings. */
export async function checkDrawings(run: GoldenRun): Promise<void> {
  for (const name of ['img0', 'img1']) {
    const { cond_ids = [], tokens = [] } = run.golden.prompt(name);
    await checkCodes(run, name, cond_ids, tokens);
    await checkDecoder(run, name, tokens);
  }
}

async function checkCodes(
  run: GoldenRun,
  name: string,
  prompt: readonly number[],
  expected: readonly number[],
): Promise<void> {
  const { golden, tolerance, report } = run;
  const guidance = Number(golden.manifest['cfg_weight']);
  const logits = await guidedLogits(run, prompt, expected, guidance);
  const width = logits.guided.length / expected.length;
  const atSteps = (steps: readonly number[]) =>
    steps.flatMap((step) =>
      [logits.conditional, logits.unconditional, logits.guided].flatMap((rows) => [
        ...rows.subarray(step * width, (step + 1) * width),
      ]),
    );
  report(
    compareLogits(
      `${name}.logits_first4`,
      atSteps([0, 1, 2, 3]),
      golden.tensor(`${name}.logits_first4`).values,
      tolerance,
    ),
  );
  report(
    compareLogits(
      `${name}.logits_last`,
      atSteps([expected.length - 1]),
      golden.tensor(`${name}.logits_last`).values,
      tolerance,
    ),
  );
  const eager = await drawCodes(run, prompt, guidance, runEagerly);
  const captured = await drawCodes(run, prompt, guidance, runCaptured);
  report(compareIds(`${name}.tokens · captured equals eager`, captured, eager));
  if (tolerance.exactIds) report(compareIds(`${name}.tokens`, eager, expected));
  else report(compareChoices(`${name}.tokens · choices`, logits.guided, expected, tolerance));
}

async function drawCodes(
  { network }: GoldenRun,
  prompt: readonly number[],
  guidance: number,
  stepRunner: StepRunnerFactory,
): Promise<ArrayLike<number>> {
  using codes = await generateImageCodes(network, {
    prompts: [prompt],
    padToken: network.config.tokens.pad,
    guidance,
    sampling: [{ temperature: 0, topK: 0, topP: 1, seed: 0 }],
    stepRunner,
  });
  return read(codes);
}

/** Logits of every step with the recorded codes fed back, `[steps, V]` each. */
async function guidedLogits(
  { network }: GoldenRun,
  prompt: readonly number[],
  codes: readonly number[],
  guidance: number,
) {
  const { device } = network;
  const integers = (values: readonly number[]) => fromArray(values, [1, values.length], { dtype: 'i32', device });
  const rows: Float32Array[] = [];
  for (const ids of [prompt, unconditionalIds(prompt, network.config.tokens.pad)]) {
    using promptIds = integers(ids);
    using codeIds = integers(codes.slice(0, -1));
    using promptRows = network.decoder.embed(promptIds);
    using codeRows = network.embedImageCodes(codeIds);
    using embedded = await joinRows(promptRows, codeRows);
    using positions = integers(Array.from({ length: embedded.extent(1) }, (_, index) => index));
    using hidden = network.decoder.forward(embedded, new PrefillStep(positions));
    using logits = network.imageLogits(hidden);
    rows.push((await read(logits)).slice((ids.length - 1) * logits.extent(-1)) as Float32Array);
  }
  const [conditional = new Float32Array(), unconditional = new Float32Array()] = rows;
  const guided = conditional.map(
    (value, index) => (unconditional[index] ?? 0) + guidance * (value - (unconditional[index] ?? 0)),
  );
  return { conditional, unconditional, guided };
}

async function joinRows(first: Tensor, second: Tensor): Promise<Tensor> {
  const values = [...(await read(first)), ...(await read(second))];
  return fromArray(values, [1, first.extent(1) + second.extent(1), first.extent(2)], {
    dtype: first.dtype,
    device: first.device,
  });
}

async function checkDecoder(run: GoldenRun, name: string, codes: readonly number[]): Promise<void> {
  const { network, golden, tolerance, report } = run;
  const seen = new Sightings();
  const channels = new Map<string, number>();
  using ids = fromArray(codes, [1, codes.length], { dtype: 'i32', device: network.device });
  using pixels = network.decodeImages(ids, (stage, value) => {
    channels.set(stage, value.extent(-1));
    seen.observe(stage, value);
  });
  for (const stage of seen.names) {
    const full = `${name}.vq.${stage}`;
    if (!golden.has(full)) continue;
    const values = channelsFirst(await seen.get(stage), channels.get(stage) ?? 1);
    report(compareHidden(full, values, golden.tensor(full).values, tolerance));
  }
  report(compareHidden(`${name}.pixels`, await read(pixels), golden.tensor(`${name}.pixels`).values, tolerance));
  using bytes = imageToBytes({ x: pixels });
  report(comparePixels(`${name}.u8`, await read(bytes), golden.tensor(`${name}.u8`).values, tolerance));
}
