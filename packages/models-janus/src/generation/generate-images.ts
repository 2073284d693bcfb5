// Image generation on token ids: every picture is one conditional and one unconditional row that share each weight read.

import type { PagedCache } from '@limen/kv-cache';
import { copy, empty, guidanceMix, sample, type Tensor } from '@limen/tensor';

import type { JanusPro } from '../janus-pro/janus-pro.js';
import { unconditionalIds } from '../janus-pro/prompt.js';
import { DecodeStep } from '../llama/key-value-step.js';
import { cacheFor, type CacheOptions } from './cache-options.js';
import { DecodeState } from './decode-state.js';
import { prefill } from './generate-text.js';
import { layerCache } from './layer-cache.js';
import { PromptBatch } from './prompt-batch.js';
import { quietly } from './quietly.js';
import type { ResolvedSampling } from './sampling-options.js';
import { runEagerly, type StepRunnerFactory } from './step-runner.js';

/** Prompts to draw. */
export interface ImageGeneration {
  /** Token ids of each picture's prompt, ending with begin-of-image. */
  readonly prompts: readonly (readonly number[])[];
  /** Stands in for the prompt in the unconditional row. */
  readonly padToken: number;
  /** How far to move from the unconditional towards the conditional prediction and beyond; 5 is usual. */
  readonly guidance: number;
  readonly sampling: readonly ResolvedSampling[];
  /** How keys and values are kept; default: in the model's type. */
  readonly cache?: CacheOptions | undefined;
  readonly stepRunner?: StepRunnerFactory | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Codes known so far, row-major, one array per picture; called every `reportEvery` codes. */
  readonly onCodes?: ((codes: Int32Array[], done: number, total: number) => void | Promise<void>) | undefined;
  readonly reportEvery?: number | undefined;
  /**
   * Steps that the host launches before it waits for codes that are due, so that the device is never idle; default: as
   * many as lie between two reports on a GPU, 0 on a CPU.
   */
  readonly runAhead?: number;
}

/**
 * Mixes the two predictions and draws one code per picture.
 *
 * @param rows - `[2n, C]` decoder states: conditional rows, then unconditional ones
 * @param feed - `[2n]` i32: receives every drawn code twice, as input of the next step
 */
function drawCodes(model: JanusPro, rows: Tensor, state: DecodeState, feed: Tensor, guidance: number): void {
  const pictures = state.ids.extent(0);
  using logits = model.imageLogits(rows);
  using conditional = logits.slice(0, 0, pictures);
  using unconditional = logits.slice(0, pictures);
  using mixed = guidanceMix({ conditional, unconditional }, { weight: guidance });
  const { parameters, seeds } = state.sampling;
  sample({ logits: mixed, parameters, seeds, counters: state.counters }, { out: state.ids });
  state.recordDraw();
  using first = feed.slice(0, 0, pictures);
  using second = feed.slice(0, pictures);
  copy({ x: state.ids }, { out: first });
  copy({ x: state.ids }, { out: second });
}

/** One decode step for pictures. Touches device state only, so it can be captured. */
export function imageStep(
  model: JanusPro,
  cache: PagedCache,
  state: DecodeState,
  feed: Tensor,
  guidance: number,
): void {
  using column = feed.reshape(-1, 1);
  using embedded = model.embedImageCodes(column);
  const stored = layerCache(cache, model.dtype);
  const step = new DecodeStep(stored, state.pageTable, state.positions, state.positions, state.lengths);
  using hidden = model.decoder.forward(embedded, step);
  using rows = hidden.reshape(hidden.extent(0), -1);
  drawCodes(model, rows, state, feed, guidance);
  state.advance();
}

/** Draws the codes of every picture, `[n, grid²]` i32; the caller disposes them. Decode them with `decodeImages`. */
export async function generateImageCodes(model: JanusPro, request: ImageGeneration): Promise<Tensor> {
  const { prompts, padToken, guidance, sampling, signal, onCodes, stepRunner = runEagerly } = request;
  const { device } = model;
  const total = model.config.imageCode.gridSize ** 2;
  const { reportEvery = model.config.imageCode.gridSize } = request;
  const { runAhead = device === 'cpu' ? 0 : reportEvery } = request;
  const rows = [...prompts, ...prompts.map((prompt) => unconditionalIds(prompt, padToken))];

  using batch = new PromptBatch(rows, -1, device);
  using cache = cacheFor(model, batch.lengths, total, request.cache);
  const sequences = batch.lengths.map((length) => cache.allocateSequence(length));
  for (const [row, sequence] of sequences.entries()) sequence.reserve((batch.lengths[row] ?? 0) + total);
  using state = new DecodeState(batch.lengths, cache.pageTable(sequences), sampling, total);
  using feed = empty([rows.length], { dtype: 'i32', device });

  using last = prefill(model, cache, state.pageTable, batch);
  drawCodes(model, last, state, feed, guidance);

  using runner = stepRunner(device, () => imageStep(model, cache, state, feed, guidance));
  /** Copies of the history that are on their way, oldest first; each stands in the stream where it was asked for. */
  const due: { readonly done: number; readonly reading: Promise<Int32Array> }[] = [];
  const report = async ({ done, reading }: (typeof due)[number]) => {
    const history = await reading;
    const codes = prompts.map((_, picture) => history.slice(picture * total, picture * total + done));
    await onCodes?.(codes, done, total);
  };
  for (let drawn = 1; drawn < total; drawn++) {
    signal?.throwIfAborted();
    runner.run();
    const done = drawn + 1;
    if (done % reportEvery === 0 && done < total) due.push({ done, reading: quietly(state.readHistory()) });
    const oldest = due[0];
    if (oldest !== undefined && done - oldest.done >= runAhead) {
      due.shift();
      await report(oldest);
    } else if (device === 'cpu') {
      // Each step is long: let timers and signals through.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  due.push({ done: total, reading: state.readHistory() });
  for (const each of due) await report(each);
  return state.history.clone();
}
