// What the HTTP edge and the commands ask of an engine: requests in, a stream of events per request out. Types only.
// Every request has a stream of its own and nothing says how requests share the model, so that an engine may run them one
// after the other, batch them step by step, or pass them to another process; all but the signals is plain data.

import type { ChatMessage, DrawnImage, TextChunk } from './model-contract.js';
import type { JobQueueStatistics } from './job-queue.js';

/** How tokens are drawn; absent fields take the model's defaults. */
export interface SamplingRequest {
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly seed?: number | undefined;
}

/** A conversation to continue. */
export interface ChatRequest extends SamplingRequest {
  readonly messages: ChatMessage[];
  readonly maxNewTokens?: number | undefined;
  readonly stop?: string[] | undefined;
}

/** Pictures to draw. */
export interface DrawRequest extends SamplingRequest {
  readonly prompt: string;
  readonly count?: number | undefined;
  readonly guidance?: number | undefined;
  /** Unfinished pictures to show on the way, evenly spread; default 0. */
  readonly previews?: number | undefined;
}

/** What happens while pictures are drawn. */
export type DrawEvent =
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'preview'; readonly index: number; readonly images: DrawnImage[] }
  | { readonly type: 'finished'; readonly images: DrawnImage[] };

/** Facts about the loaded model. */
export interface ModelFacts {
  readonly name: string;
  readonly device: string;
  readonly dtype: string;
  /** Tokens of prompt and answer together. */
  readonly contextLength: number;
  /** Side of drawn pictures, pixels. */
  readonly imageSize: number;
}

/** Whether the engine takes work. */
export type EngineState = 'ready' | 'draining' | 'failed';

/** A loaded model that answers many callers. */
export interface Engine extends AsyncDisposable {
  readonly model: ModelFacts;
  readonly state: EngineState;
  readonly statistics: JobQueueStatistics;

  /**
   * Continues a conversation. Leaving the loop early, or the signal, cancels it.
   *
   * @throws {QueueFullError} at once: too much work waits
   * @throws {EngineClosedError} at once: draining or failed
   */
  chat(request: ChatRequest, signal?: AbortSignal): AsyncIterableIterator<TextChunk>;

  /** Draws pictures; the last event is `finished`. Cancellation and errors as in `chat`. */
  draw(request: DrawRequest, signal?: AbortSignal): AsyncIterableIterator<DrawEvent>;

  /**
   * Takes no new work, waits up to `milliseconds` for what was accepted, then cancels the rest.
   *
   * @returns whether everything could finish
   */
  drain(milliseconds: number): Promise<boolean>;
}
