// One bucket: what state its graph is in, and when to try again after a failure. It runs nothing.

import type { AxisSizes } from './axes.js';
import { bucketName } from './axes.js';
import type { BucketInputs } from './bucket-inputs.js';
import type { CapturedGraph } from './captured-graph.js';

/**
 * `none`: no graph yet, or no more · `queued`: waits for its turn in the background · `unverified`: captured, the next
 * call compares · `verifying`: the comparison is under way · `captured`: replays · `failed`: eager until the next try ·
 * `over-budget`: eager, the graph alone is larger than the budget.
 */
export type BucketState = 'none' | 'queued' | 'unverified' | 'verifying' | 'captured' | 'failed' | 'over-budget';

/** Facts about one bucket. */
export interface BucketStatistics {
  readonly function: string;
  readonly bucket: AxisSizes;
  readonly state: BucketState;
  /** Calls that the bucket was the smallest for. */
  readonly requests: number;
  readonly replays: number;
  readonly eagerRuns: number;
  /** Replays over requests, 0 to 1; 0 before any. */
  readonly hitRate: number;
  readonly captures: number;
  readonly evictions: number;
  /** Failures since the last success or invalidation, and what the last one was. */
  readonly failures: number;
  readonly lastFailure: string | undefined;
  /** Of the graph that exists now; 0 without one. */
  readonly nodeCount: number;
  /** Milliseconds that the last capture took, warm-ups not included. */
  readonly captureMilliseconds: number;
  /** Milliseconds of one replay, as `GraphRuntime.timeGraphs` measured it last; undefined before. */
  readonly replayMilliseconds: number | undefined;
  /** Bytes of the inputs, of the memory the graph works in (shared with other graphs), and what the driver took for it. */
  readonly inputBytes: number;
  readonly workBytes: number;
  readonly driverBytes: number;
}

/** A graph with the inputs it was captured on. */
export interface BucketGraph {
  readonly inputs: BucketInputs;
  readonly graph: CapturedGraph<Readonly<Record<string, unknown>>>;
}

/** A bucket of a function. */
export class Bucket {
  readonly functionName: string;
  readonly sizes: AxisSizes;
  readonly name: string;
  state: BucketState = 'none';
  /** Order of last use; larger is later. */
  lastUse = 0;
  requests = 0;
  replays = 0;
  eagerRuns = 0;
  captures = 0;
  evictions = 0;
  failures = 0;
  lastFailure: string | undefined;
  replayMilliseconds: number | undefined;
  /** The result whose views look at the graph's memory. */
  lastResult: Disposable | undefined;
  #graph: BucketGraph | undefined;
  #captureMilliseconds = 0;
  #waitForRuns = 0;

  constructor(functionName: string, sizes: AxisSizes) {
    this.functionName = functionName;
    this.sizes = sizes;
    this.name = bucketName(sizes);
  }

  get graph(): BucketGraph | undefined {
    return this.#graph;
  }

  /** Bytes that belong to this bucket alone; the memory that its graph works in is the pool's. */
  get ownBytes(): number {
    return this.#graph?.inputs.bytes ?? 0;
  }

  /** Bytes that the bucket would need if it were the only one. */
  get aloneBytes(): number {
    return this.ownBytes + (this.#graph?.graph.privateBytes ?? 0);
  }

  get statistics(): BucketStatistics {
    const { functionName, sizes, state, requests, replays, eagerRuns, captures, evictions, failures } = this;
    return {
      function: functionName,
      bucket: sizes,
      state,
      requests,
      replays,
      eagerRuns,
      hitRate: requests === 0 ? 0 : replays / requests,
      captures,
      evictions,
      failures,
      lastFailure: this.lastFailure,
      nodeCount: this.#graph?.graph.nodeCount ?? 0,
      captureMilliseconds: this.#captureMilliseconds,
      replayMilliseconds: this.replayMilliseconds,
      inputBytes: this.#graph?.inputs.bytes ?? 0,
      workBytes: this.#graph?.graph.privateBytes ?? 0,
      driverBytes: this.#graph?.graph.driverBytes ?? 0,
    };
  }

  /** Whether a capture may be tried now. */
  mayCapture(maxFailures: number): boolean {
    if (this.state === 'none') return true;
    return this.state === 'failed' && this.failures < maxFailures && this.eagerRuns >= this.#waitForRuns;
  }

  /** A graph was captured. */
  hold(graph: BucketGraph, state: 'unverified' | 'captured'): void {
    this.#graph = graph;
    this.#captureMilliseconds = graph.graph.captureMilliseconds;
    this.captures++;
    this.state = state;
  }

  /** Drops the graph. Views of its outputs stay readable until they are disposed. */
  drop(state: BucketState): void {
    const graph = this.#graph;
    this.#graph = undefined;
    this.lastResult = undefined;
    this.state = state;
    graph?.graph[Symbol.dispose]();
    graph?.inputs[Symbol.dispose]();
  }

  /** Something went wrong: no graph until 1, 4, 16, … more eager runs have been served. */
  fail(reason: string): void {
    this.drop('failed');
    this.lastFailure = reason;
    this.#waitForRuns = this.eagerRuns + 4 ** this.failures;
    this.failures++;
  }

  /** Starts over, as if nothing had failed. */
  reset(): void {
    this.drop('none');
    this.failures = 0;
    this.lastFailure = undefined;
  }
}
