// A step that advances state of its own: it runs eagerly first, is captured when it has proven itself, and replays from
// then on. What cannot be captured goes on eagerly, with the reason.

import type { RecordingPool } from '@limen/tensor';

import type { CapturedGraph } from './captured-graph.js';
import { capture } from './capture.js';

/** State of a step. */
export type CaptureState = 'none' | 'captured' | 'failed';

/** Facts about a step's runs. */
export interface CapturedStepStatistics {
  readonly state: CaptureState;
  readonly eagerRuns: number;
  readonly replays: number;
  /** Captures that failed, and why the last one did. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
  readonly nodeCount: number;
  readonly privateBytes: number;
  readonly captureMilliseconds: number;
}

/** How a step is captured. */
export interface CapturedStepOptions {
  /** For statistics and errors; default `'step'`. */
  readonly name?: string;
  /** Eager runs before the capture, each of them real; default 1. */
  readonly eagerFirst?: number;
  /** Failed captures after which the step stays eager; default 3. */
  readonly maxFailures?: number;
  /** Memory shared with other graphs that never replay at the same time; default: memory of its own. */
  readonly pool?: RecordingPool;
  /** Called when a capture fails. */
  readonly onFailure?: (reason: string) => void;
}

/** Runs a step, eagerly or as a replay; the effect is the same. */
export class CapturedStep implements Disposable {
  readonly #device: string;
  readonly #step: () => void;
  readonly #options: CapturedStepOptions & { readonly name: string; readonly eagerFirst: number };
  readonly #maxFailures: number;
  #graph: CapturedGraph<void> | undefined;
  #eagerRuns = 0;
  #failures = 0;
  #lastFailure: string | undefined;

  /** @param step - launches ops on device state and returns nothing */
  constructor(
    device: string,
    step: () => void,
    { name = 'step', eagerFirst = 1, maxFailures = 3, ...rest }: CapturedStepOptions = {},
  ) {
    this.#device = device;
    this.#step = step;
    this.#options = { name, eagerFirst, ...rest };
    this.#maxFailures = maxFailures;
  }

  get state(): CaptureState {
    if (this.#graph !== undefined) return 'captured';
    return this.#failures > 0 ? 'failed' : 'none';
  }

  get statistics(): CapturedStepStatistics {
    return {
      state: this.state,
      eagerRuns: this.#eagerRuns,
      replays: this.#graph?.replays ?? 0,
      failures: this.#failures,
      lastFailure: this.#lastFailure,
      nodeCount: this.#graph?.nodeCount ?? 0,
      privateBytes: this.#graph?.privateBytes ?? 0,
      captureMilliseconds: this.#graph?.captureMilliseconds ?? 0,
    };
  }

  /** Runs the step once. */
  run(): void {
    const { name, eagerFirst, pool, onFailure } = this.#options;
    if (this.#graph === undefined && this.#eagerRuns >= eagerFirst && this.#failures < this.#maxFailures) {
      try {
        this.#graph = capture(this.#device, this.#step, { name, warmUps: 0, pool });
      } catch (error) {
        this.#failures++;
        this.#lastFailure = error instanceof Error ? error.message : String(error);
        onFailure?.(this.#lastFailure);
      }
    }
    if (this.#graph !== undefined) {
      this.#graph.replay();
      return;
    }
    this.#step();
    this.#eagerRuns++;
  }

  /** Drops the graph, after weights or shapes have changed; the next runs capture anew. */
  invalidate(): void {
    this.#graph?.[Symbol.dispose]();
    this.#graph = undefined;
    this.#failures = 0;
    this.#lastFailure = undefined;
  }

  [Symbol.dispose](): void {
    this.#graph?.[Symbol.dispose]();
    this.#graph = undefined;
  }
}

/** A {@link CapturedStep} as the function that generators take. */
export function stepRunner(device: string, step: () => void): CapturedStep {
  return new CapturedStep(device, step);
}
