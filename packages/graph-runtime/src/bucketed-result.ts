// What one call of a bucketed function gave.

import type { Tensor } from '@limen/tensor';

import type { AxisSizes } from './axes.js';
import type { StepOutputs } from './bucket-declaration.js';

/** How a call ran. */
export interface CallFacts {
  /** As `PerformanceMonitor.record` takes it: a replay, or why it was none. */
  readonly ran: 'graph' | { readonly fallback: string };
  /** The request. */
  readonly sizes: AxisSizes;
  /** The bucket it ran in; undefined for one that no bucket holds. */
  readonly bucket: AxisSizes | undefined;
}

/**
 * Outputs of a call, cut to the request. Those of a replay are views of the graph's memory: they are disposed when their
 * bucket runs again, so that nobody reads what has changed underneath. Read or copy them before, and dispose the result.
 */
export class BucketedResult<Outputs> implements Disposable, CallFacts {
  readonly ran: CallFacts['ran'];
  readonly sizes: AxisSizes;
  readonly bucket: AxisSizes | undefined;
  readonly #outputs: StepOutputs<Outputs>;
  readonly #beforeUse: () => void;

  constructor(facts: CallFacts, outputs: StepOutputs<Outputs>, beforeUse: () => void) {
    this.ran = facts.ran;
    this.sizes = facts.sizes;
    this.bucket = facts.bucket;
    this.#outputs = outputs;
    this.#beforeUse = beforeUse;
  }

  /** The outputs. With replays on a side stream, ops called after the first look at them wait for the replay. */
  get outputs(): StepOutputs<Outputs> {
    this.#beforeUse();
    return this.#outputs;
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values<Tensor>(this.#outputs)) tensor.dispose();
  }
}
