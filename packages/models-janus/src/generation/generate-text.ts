// Text generation on token ids: prefill a batch of prompts, then decode in lockstep until every row has stopped.

import type { PagedCache } from '@limen/kv-cache';
import { embedding, sample, type Tensor } from '@limen/tensor';

import type { JanusPro } from '../janus-pro/janus-pro.js';
import { DecodeStep, PrefillStep } from '../llama/key-value-step.js';
import { cacheFor, type CacheOptions } from './cache-options.js';
import { DecodeState } from './decode-state.js';
import { layerCache } from './layer-cache.js';
import { PromptBatch } from './prompt-batch.js';
import { quietly } from './quietly.js';
import type { ResolvedSampling } from './sampling-options.js';
import { runEagerly, type StepRunnerFactory } from './step-runner.js';

/** A batch of prompts and how to continue them. */
export interface TextGeneration {
  /** Token ids of each prompt, image placeholders expanded. */
  readonly prompts: readonly (readonly number[])[];
  /** Id of the image placeholder. */
  readonly imageToken: number;
  /** `[images, S, S, 3]` pixels of all prompts in order; absent without images. Stays the caller's. */
  readonly pixels?: Tensor | undefined;
  readonly sampling: readonly ResolvedSampling[];
  readonly maxNewTokens: number;
  /** Ids that end a row; empty to go on to `maxNewTokens`. */
  readonly stopTokens: readonly number[];
  /**
   * Steps that the host launches before it waits for the tokens of those before, so that the device is never idle;
   * default 4 on a GPU and 0 on a CPU. Surplus tokens behind a stop, at most twice as many, are dropped.
   */
  readonly runAhead?: number;
  /** How keys and values are kept; default: in the model's type. */
  readonly cache?: CacheOptions | undefined;
  readonly stepRunner?: StepRunnerFactory | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A token of one row. */
export interface DrawnToken {
  readonly row: number;
  readonly token: number;
  /** The row ends with this token, which is a stop token or the last allowed one. */
  readonly last: boolean;
}

/** One decode step for text: feed the last token, draw the next. Touches device state only, so it can be captured. */
export function textStep(model: JanusPro, cache: PagedCache, state: DecodeState): void {
  using column = state.ids.reshape(-1, 1);
  using embedded = model.decoder.embed(column);
  const stored = layerCache(cache, model.dtype);
  const step = new DecodeStep(stored, state.pageTable, state.positions, state.positions, state.lengths);
  using hidden = model.decoder.forward(embedded, step);
  using rows = hidden.reshape(hidden.extent(0), -1);
  drawText(model, rows, state);
  state.advance();
}

function drawText(model: JanusPro, rows: Tensor, state: DecodeState): void {
  using logits = model.textLogits(rows);
  const { parameters, seeds } = state.sampling;
  sample({ logits, parameters, seeds, counters: state.counters }, { out: state.ids });
  state.recordDraw();
}

/** Fills the cache with the prompts and returns the last state of each row, `[B, C]`. */
export function prefill(
  model: JanusPro,
  cache: PagedCache | undefined,
  pageTable: Tensor | undefined,
  batch: PromptBatch,
  pixels?: Tensor,
): Tensor {
  using encoded = pixels === undefined ? undefined : model.encodeImages(pixels);
  using rows = encoded?.reshape(-1, model.config.text.hiddenSize);
  const images = rows === undefined || batch.imageIndex === undefined ? undefined : { rows, index: batch.imageIndex };
  using embedded = model.embedPrompt(batch.ids, images);
  const store =
    cache === undefined || pageTable === undefined
      ? undefined
      : { cache: layerCache(cache, model.dtype), pageTable, slots: batch.slots };
  using hidden = model.decoder.forward(embedded, new PrefillStep(batch.positions, batch.rowLengths, store));
  using flat = hidden.reshape(-1, model.config.text.hiddenSize);
  return embedding({ ids: batch.lastTokens, weight: flat });
}

/** Yields tokens as they become known, in order within each row. */
export async function* generateText(model: JanusPro, request: TextGeneration): AsyncGenerator<DrawnToken> {
  const { prompts, sampling, maxNewTokens, stopTokens, signal } = request;
  const { device } = model;
  const { runAhead = device === 'cpu' ? 0 : 4, stepRunner = runEagerly } = request;
  if (maxNewTokens < 1) return;

  using batch = new PromptBatch(prompts, request.imageToken, device);
  using cache = cacheFor(model, batch.lengths, maxNewTokens, request.cache);
  const sequences = batch.lengths.map((length) => cache.allocateSequence(length));
  for (const [row, sequence] of sequences.entries()) sequence.reserve((batch.lengths[row] ?? 0) + maxNewTokens);
  using state = new DecodeState(batch.lengths, cache.pageTable(sequences), sampling, maxNewTokens);

  using last = prefill(model, cache, state.pageTable, batch, request.pixels);
  drawText(model, last, state);

  using runner = stepRunner(device, () => textStep(model, cache, state));
  const running = prompts.map(() => true);
  const launch = (steps: number) => {
    for (let step = 0; step < steps && drawn < maxNewTokens && running.includes(true); step++, drawn++) runner.run();
  };
  let drawn = 1;
  let delivered = 0;
  while (running.includes(true)) {
    signal?.throwIfAborted();
    const known = drawn;
    const reading = quietly(state.readHistory());
    // The copy stands in the stream before these steps: the device works on them while the host waits for it. Only the
    // first token goes out before anything else is launched, since the first steps are recorded, which takes the host a
    // while.
    if (delivered > 0) launch(runAhead);
    const history = await reading;
    for (; delivered < known; delivered++) {
      for (const row of prompts.keys()) {
        if (running[row] !== true) continue;
        const token = history[row * maxNewTokens + delivered] ?? 0;
        const isLast = stopTokens.includes(token) || delivered === maxNewTokens - 1;
        running[row] = !isLast;
        yield { row, token, last: isLast };
      }
    }
    if (drawn === known) launch(Math.max(1, runAhead));
  }
}
