// The loop that answers are made in, with a stopwatch on the host and marks in the stream of the device.

import { stepRunner } from '@limen/graph-runtime';
import { generateText, type StepRunnerFactory } from '@limen/models-janus';

import type { BenchmarkContext } from './context.js';
import { DeviceStopwatch } from './device-stopwatch.js';
import { type Sample, summarize } from './measure.js';
import { wordIds } from './random-janus.js';

/** Tokens before the clock starts: the first step runs eagerly and the second is captured. */
const warmUpTokens = 9;

/** One pass of the loop. */
export interface LoopTimes {
  /** Steps between the first and the last token that count. */
  readonly steps: number;
  /** Milliseconds for them, as the reader of the tokens sees it. */
  readonly wall: number;
  /** Milliseconds in which the device ran a step; undefined without marks. */
  readonly device: number | undefined;
  /** Milliseconds in which the event loop was busy, and those of them that launching took. */
  readonly busy: number;
  readonly launch: number;
}

/**
 * Generates from random prompts as `generateText` does for everybody, steps captured, tokens read as they come.
 *
 * @param request.steps - steps to time
 * @param options.marks - record an event before and behind every step; without a GPU there is nothing to mark
 */
export async function runGenerationLoop(
  { network, kv }: Pick<BenchmarkContext, 'network' | 'kv'>,
  { batch, context, steps }: { readonly batch: number; readonly context: number; readonly steps: number },
  { marks = false } = {},
): Promise<LoopTimes> {
  const { config } = network;
  const prompts = Array.from({ length: batch }, (_, row) => wordIds(config, context, row * context));
  using stopwatch = new StepStopwatch(marks);
  const generation = generateText(network, {
    prompts,
    imageToken: config.tokens.imagePlaceholder,
    sampling: prompts.map(() => ({ temperature: 0, topK: 0, topP: 1, seed: 0 })),
    maxNewTokens: warmUpTokens + steps,
    stopTokens: [],
    cache: { dtype: kv },
    stepRunner: stopwatch.runner,
  });
  let seen = 0;
  let started = 0;
  let ended = 0;
  let activity = performance.eventLoopUtilization();
  for await (const { row } of generation) {
    if (row !== batch - 1) continue;
    seen++;
    if (seen === warmUpTokens) {
      started = performance.now();
      activity = performance.eventLoopUtilization();
    }
    if (seen === warmUpTokens + steps) {
      ended = performance.now();
      activity = performance.eventLoopUtilization(activity);
    }
  }
  // Step k draws token k + 1, so the last `steps` steps are those behind the first token that counts.
  const counted = stopwatch.lap(steps);
  return { steps, wall: ended - started, busy: activity.active, ...counted };
}

/** Wraps captured steps: how long the host takes to launch each, and how long the device to run it. */
class StepStopwatch implements Disposable {
  readonly #launches: number[] = [];
  readonly #watches: DeviceStopwatch[] = [];
  readonly #marks: boolean;

  constructor(marks: boolean) {
    this.#marks = marks;
  }

  /** For `generateText`. */
  readonly runner: StepRunnerFactory = (device, step) => {
    const captured = stepRunner(device, step);
    return {
      run: () => {
        const start = performance.now();
        const watch = this.#marks ? DeviceStopwatch.of(device) : undefined;
        watch?.start();
        captured.run();
        watch?.stop();
        if (watch !== undefined) this.#watches.push(watch);
        this.#launches.push(performance.now() - start);
      },
      [Symbol.dispose]: () => captured[Symbol.dispose](),
    };
  };

  /** Sums over the last `steps` steps. */
  lap(steps: number): Pick<LoopTimes, 'device' | 'launch'> {
    const launch = this.#launches.slice(-steps).reduce((sum, time) => sum + time, 0);
    if (this.#watches.length === 0) return { launch, device: undefined };
    return { launch, device: this.#watches.slice(-steps).reduce((sum, { milliseconds }) => sum + milliseconds, 0) };
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch[Symbol.dispose]();
  }
}

/** Figures over several passes, each once without marks for its time and once with them for that of the device. */
export function summarizeLoop(
  loops: readonly { readonly plain: LoopTimes; readonly marked: LoopTimes }[],
  batch: number,
): { tokens: Sample; idle: Sample | undefined; busy: Sample; launch: Sample } {
  const perStep = (pick: (times: LoopTimes) => number) =>
    summarize(loops.map(({ plain }) => (1000 * pick(plain)) / plain.steps));
  const idle = loops.flatMap(({ plain, marked }) =>
    marked.device === undefined ? [] : [100 * (1 - marked.device / plain.wall)],
  );
  return {
    tokens: summarize(loops.map(({ plain }) => (1000 * batch * plain.steps) / plain.wall)),
    idle: idle.length === 0 ? undefined : summarize(idle),
    busy: perStep(({ busy }) => busy),
    launch: perStep(({ launch }) => launch),
  };
}
