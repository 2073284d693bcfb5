// What every part of the cache benchmark is given, and how it hands in what it measured.

import type { CacheDType, PageLayout } from '@limen/kv-cache';

import type { Measurement } from '../lib/report.js';
import type { Ceilings } from './ceilings.js';

/** A device, what to vary, and where results go. */
export interface KvContext {
  readonly device: string;
  /** `full`: the sizes of the models. `small`: seconds on a CPU, to see that everything runs. */
  readonly size: 'full' | 'small';
  readonly runs: number;
  readonly formats: readonly CacheDType[];
  readonly layouts: readonly PageLayout[];
  /** Sequences in a decode step. */
  readonly batches: readonly number[];
  /** Tokens that each of them has in the cache. */
  readonly contexts: readonly number[];
  /** Requests of the simulation. */
  readonly requests: number;
  /** What the memory of this machine reached in this run. */
  ceilings(): Promise<Ceilings>;
  /** Prints a measurement and keeps it. */
  add(measurement: Measurement): void;
  /** Runs one case; when it fails, the reason is printed and the next case runs. */
  attempt(name: string, run: () => Promise<void> | void): Promise<void>;
}
