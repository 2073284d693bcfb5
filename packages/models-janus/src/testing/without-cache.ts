// Greedy ids without any cache: every token is chosen from one pass over the whole sequence before it. Slow, and what
// decoding with a cache must equal.

import { fromArray, read, type Tensor } from '@limen/tensor';

import { PromptBatch } from '../generation/prompt-batch.js';
import type { JanusPro } from '../janus-pro/janus-pro.js';
import { unconditionalIds } from '../janus-pro/prompt.js';
import { PrefillStep } from '../llama/key-value-step.js';

/** A prompt, with the pixels of its pictures `[images, S, S, 3]`. */
export interface TextCase {
  readonly ids: readonly number[];
  readonly pixels?: Tensor | undefined;
}

/** The likeliest `steps` tokens after a prompt, the whole sequence computed anew for each. */
export async function textWithoutCache(network: JanusPro, prompt: TextCase, steps: number): Promise<number[]> {
  const drawn: number[] = [];
  while (drawn.length < steps) {
    const logits = await textLogitsWithoutCache(network, prompt, drawn);
    drawn.push(likeliest(logits.at(-1) ?? []));
  }
  return drawn;
}

/** Logits after the prompt and after each of the tokens that follow it, from one pass. */
export async function textLogitsWithoutCache(
  network: JanusPro,
  { ids, pixels }: TextCase,
  following: readonly number[],
): Promise<Float32Array[]> {
  using batch = new PromptBatch([[...ids, ...following]], network.config.tokens.imagePlaceholder, network.device);
  using encoded = pixels === undefined ? undefined : network.encodeImages(pixels);
  using rows = encoded?.reshape(-1, network.config.text.hiddenSize);
  const images = rows === undefined || batch.imageIndex === undefined ? undefined : { rows, index: batch.imageIndex };
  using embedded = network.embedPrompt(batch.ids, images);
  using hidden = network.decoder.forward(embedded, new PrefillStep(batch.positions, batch.rowLengths));
  using logits = network.textLogits(hidden);
  return rowsOf(await read(logits), logits.extent(-1)).slice(ids.length - 1);
}

/** The likeliest `steps` codes for a drawing, both rows computed anew for each. */
export async function codesWithoutCache(
  network: JanusPro,
  prompt: readonly number[],
  guidance: number,
  steps: number,
): Promise<number[]> {
  const drawn: number[] = [];
  while (drawn.length < steps) drawn.push((await codeChoices(network, prompt, guidance, drawn)).at(-1) ?? -1);
  return drawn;
}

/** The likeliest code after the prompt and after each of the codes that follow it, from one pass. */
export async function codeChoices(
  network: JanusPro,
  prompt: readonly number[],
  guidance: number,
  codes: readonly number[],
): Promise<number[]> {
  const { device, config } = network;
  const { pad, imagePlaceholder } = config.tokens;
  // Placeholders stand where the codes go.
  const rows = [prompt, unconditionalIds(prompt, pad)].map((ids) => [...ids, ...codes.map(() => imagePlaceholder)]);
  using batch = new PromptBatch(rows, imagePlaceholder, device);
  using codeIds = fromArray([...codes, ...codes], [2 * codes.length], { dtype: 'i32', device });
  using embeddedCodes = network.embedImageCodes(codeIds);
  const images = batch.imageIndex === undefined ? undefined : { rows: embeddedCodes, index: batch.imageIndex };
  using embedded = network.embedPrompt(batch.ids, images);
  using hidden = network.decoder.forward(embedded, new PrefillStep(batch.positions, batch.rowLengths));
  using logits = network.imageLogits(hidden);
  const all = rowsOf(await read(logits), logits.extent(-1));
  const length = prompt.length + codes.length;
  return all.slice(prompt.length - 1, length).map((conditional, index) => {
    const unconditional = all[length + prompt.length - 1 + index] ?? conditional;
    return likeliest(conditional.map((value, code) => mix(value, unconditional[code] ?? 0, guidance)));
  });
}

function mix(conditional: number, unconditional: number, guidance: number): number {
  return unconditional + guidance * (conditional - unconditional);
}

/** Index of the greatest value, the lowest one of several. */
export function likeliest(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] ?? NaN) > (values[best] ?? NaN)) best = index;
  }
  return best;
}

function rowsOf(values: ArrayLike<number>, width: number): Float32Array[] {
  const all = Float32Array.from(values);
  return Array.from({ length: all.length / width }, (_, row) => all.subarray(row * width, (row + 1) * width));
}
