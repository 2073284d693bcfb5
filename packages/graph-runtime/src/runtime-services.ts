// What a bucketed function asks of the runtime that it belongs to.

import type { RecordingPool } from '@limen/tensor';

import type { Bucket } from './bucket.js';
import type { CapturedGraph } from './captured-graph.js';
import type { EventLog } from './event-log.js';

/** Shared by all functions of a runtime. */
export interface RuntimeServices {
  readonly device: string;
  /** Memory that all graphs work in, one after another. */
  readonly pool: RecordingPool;
  readonly events: EventLog;
  /** Whether somebody captures on the device at this moment. */
  isCapturing(): boolean;
  /** Counts calls, for the order of last use. */
  nextUse(): number;
  /** Replays on the stream of replays, after the ops called so far. */
  replay(graph: CapturedGraph<unknown>): void;
  /** Lets ops called from now on wait for the replays so far. */
  join(): void;
  /** Evicts others, the longest unused first, until the budget holds; the bucket itself where nothing else helps. */
  makeRoomFor(bucket: Bucket): void;
  /** Evicts every graph but one's; returns whether there was any. */
  evictAllBut(bucket: Bucket): boolean;
  /** Runs `capture` between calls. */
  schedule(capture: () => void): void;
  /** Lets `settled()` wait for something. */
  track(work: Promise<void>): void;
}
