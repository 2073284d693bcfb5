// Carries values from a producer that never waits to one consumer that may be slow. A job's output is bounded by its
// request (tokens, pictures), so the model is never held up by whoever reads it.

/** An unbounded, single-consumer stream. */
export class Channel<T> implements AsyncIterableIterator<T> {
  readonly #values: T[] = [];
  readonly #onReturn: () => void;
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** @param onReturn - called when the consumer stops before the end */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(value: T): void {
    this.#values.push(value);
    this.#wake?.();
  }

  /** The consumer gets what was pushed so far, then the end. */
  close(): void {
    this.#end ??= {};
    this.#wake?.();
  }

  /** The consumer gets what was pushed so far, then `error`. */
  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const value = this.#values.shift();
      if (value !== undefined) return { done: false, value };
      const end = this.#end;
      if (end !== undefined) {
        this.#end = {};
        if (end.error !== undefined) throw end.error as Error;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    this.#values.length = 0;
    this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
