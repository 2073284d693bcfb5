// An engine that runs one request at a time on a model in this process.

import { EngineClosedError } from '../errors/engine-closed-error.js';
import { Channel } from './channel.js';
import type { ChatRequest, DrawEvent, DrawRequest, Engine, EngineState, ModelFacts } from './engine.js';
import { JobQueue, type JobQueueStatistics } from './job-queue.js';
import type { ServableModel, TextChunk } from './model-contract.js';
import { previewsDue } from './previews-due.js';

/** Options of an engine. */
export interface SequentialEngineOptions {
  /** Requests that may wait behind the running one; default 64. */
  readonly maxWaiting?: number;
  /** Called once, when an error shows that the device is lost for this process. */
  readonly onFailure?: (error: EngineClosedError) => void;
}

/** Owns a model and answers requests in the order of their arrival. */
export class SequentialEngine implements Engine {
  readonly model: ModelFacts;
  readonly #model: ServableModel;
  readonly #queue: JobQueue;
  readonly #onFailure: ((error: EngineClosedError) => void) | undefined;
  readonly #shutdown = new AbortController();
  #state: EngineState = 'ready';
  #failure: EngineClosedError | undefined;

  /** @param model - the engine's from now on; disposed with it */
  constructor(model: ServableModel, { maxWaiting, onFailure }: SequentialEngineOptions = {}) {
    const { name, device, dtype, contextLength, imageSize } = model;
    this.model = { name, device, dtype, contextLength, imageSize };
    this.#model = model;
    this.#queue = new JobQueue({ maxWaiting });
    this.#onFailure = onFailure;
  }

  get state(): EngineState {
    return this.#state;
  }

  get statistics(): JobQueueStatistics {
    return this.#queue.statistics;
  }

  chat(request: ChatRequest, signal?: AbortSignal): AsyncIterableIterator<TextChunk> {
    return this.#stream(signal, async (push, jobSignal) => {
      for await (const chunk of this.#model.chat({ ...request, signal: jobSignal })) push(chunk);
    });
  }

  draw(request: DrawRequest, signal?: AbortSignal): AsyncIterableIterator<DrawEvent> {
    const { prompt, previews = 0, ...options } = request;
    return this.#stream(signal, async (push, jobSignal) => {
      const isDue = previewsDue(previews);
      const images = await this.#model.draw(prompt, {
        ...options,
        signal: jobSignal,
        onProgress: (done, total) => push({ type: 'progress', done, total }),
        // Decoding an unfinished picture costs time, so it is only asked for when somebody will look.
        ...(previews > 0 && {
          previewEvery: Math.ceil(this.#model.imageCodes / (previews + 1)),
          onPreview: (unfinished, done, total) => {
            const index = isDue(done, total);
            if (index !== undefined) push({ type: 'preview', index, images: unfinished });
          },
        }),
      });
      push({ type: 'finished', images });
    });
  }

  async drain(milliseconds: number): Promise<boolean> {
    if (this.#state === 'ready') this.#state = 'draining';
    const idle = this.#queue.idle().then(() => true);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, milliseconds, false)));
    const finished = await Promise.race([idle, late]);
    clearTimeout(timer);
    if (!finished) {
      this.#shutdown.abort(new EngineClosedError('ENGINE_DRAINING'));
      await idle;
    }
    return finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(0);
    this.#model[Symbol.dispose]();
  }

  #stream<T>(
    signal: AbortSignal | undefined,
    produce: (push: (value: T) => void, signal: AbortSignal) => Promise<void>,
  ): AsyncIterableIterator<T> {
    if (this.#state === 'draining') throw new EngineClosedError('ENGINE_DRAINING');
    if (this.#failure !== undefined) throw this.#failure;
    const left = new AbortController();
    const any = AbortSignal.any([left.signal, this.#shutdown.signal, ...(signal === undefined ? [] : [signal])]);
    const channel = new Channel<T>(() => left.abort());
    this.#queue
      .submit((jobSignal) => produce((value) => channel.push(value), jobSignal), any)
      .then(
        () => channel.close(),
        (error: unknown) => {
          if (isDeviceLost(error)) this.#fail(error);
          channel.fail(error);
        },
      );
    return channel;
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#state = 'failed';
    this.#failure = new EngineClosedError('ENGINE_FAILED', { cause });
    this.#shutdown.abort(this.#failure);
    this.#onFailure?.(this.#failure);
  }
}

// A CUDA context that met an illegal address answers every later call with an error: no request may wait for it.
function isDeviceLost(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'kind' in error && error.kind === 'sticky';
}
