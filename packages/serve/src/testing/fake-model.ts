// A model without mathematics: says given words, draws flat pictures, and does both only as fast as a test lets it.

import type { ServableModel, TextChunk } from '../engine/model-contract.js';

/** How a fake behaves. */
export interface FakeModelOptions {
  readonly words?: readonly string[];
  /** Thrown in place of the word with this index. */
  readonly failure?: { readonly at: number; readonly error: unknown };
  /** Awaited before each word and each step of a drawing; the n-th call gets n. */
  readonly pace?: (call: number) => Promise<void>;
}

type ChatCall = Parameters<ServableModel['chat']>[0];
type DrawCall = [prompt: string, options: NonNullable<Parameters<ServableModel['draw']>[1]>];

/** A servable model for tests; `chats` and `drawings` are what it was asked for. */
export class FakeModel implements ServableModel {
  readonly name = 'fake-janus';
  readonly device = 'cpu';
  readonly dtype = 'f32';
  readonly contextLength = 4096;
  readonly imageSize = 16;
  readonly imageCodes = 8;
  readonly chats: ChatCall[] = [];
  readonly drawings: DrawCall[] = [];
  /** Requests that ended because their signal fired. */
  aborted = 0;
  disposed = false;
  options: FakeModelOptions;
  #calls = 0;

  constructor(options: FakeModelOptions = {}) {
    this.options = options;
  }

  async *chat(request: ChatCall): AsyncGenerator<TextChunk> {
    this.chats.push(request);
    const { words = ['A ', 'cat ', 'on ', 'a ', 'mat.'], failure } = this.options;
    for (const [index, text] of words.entries()) {
      await this.#step(request.signal);
      if (failure?.at === index) throw failure.error as Error;
      const isLast = index === words.length - 1;
      const usage = { promptTokens: 7, completionTokens: index + 1 };
      yield isLast ? { text, usage, finishReason: 'stop' } : { text, usage };
    }
  }

  async draw(...[prompt, options = {}]: Parameters<ServableModel['draw']>): ReturnType<ServableModel['draw']> {
    this.drawings.push([prompt, options]);
    const total = this.imageCodes;
    const { previewEvery = 1 } = options;
    for (let done = 1; done <= total; done++) {
      await this.#step(options.signal);
      options.onProgress?.(done, total);
      if (done < total && done % previewEvery === 0)
        await options.onPreview?.(this.#images(options.count, done), done, total);
    }
    return this.#images(options.count, 200);
  }

  [Symbol.dispose](): void {
    this.disposed = true;
  }

  #images(count = 1, level: number) {
    const { imageSize } = this;
    return Array.from({ length: count }, () => ({
      width: imageSize,
      height: imageSize,
      data: new Uint8Array(imageSize * imageSize * 3).fill(level),
    }));
  }

  async #step(signal: AbortSignal | undefined): Promise<void> {
    await (this.options.pace ?? nextTurn)(this.#calls++);
    if (signal?.aborted === true) this.aborted++;
    signal?.throwIfAborted();
  }
}

/** Resolves on the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A promise and the function that resolves it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Waits, a turn at a time, until `condition` holds; a test that waits in vain ends by its own time limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
