// What all native handles share: one owner, one release, a typed error afterwards.

import { DisposedError } from './errors/disposed-error.js';

/** A handle of the CUDA runtime, released once by `dispose`, after the asynchronous calls on it have settled. */
export abstract class NativeHandle implements Disposable {
  readonly #what: string;
  readonly #release: (handle: number) => void;
  #handle: number;
  #isDisposed = false;
  #pending = 0;

  protected constructor(what: string, handle: number, release: (handle: number) => void) {
    this.#what = what;
    this.#handle = handle;
    this.#release = release;
  }

  /**
   * The number that stands for the handle in `NativeBinding`.
   *
   * @throws {DisposedError} after `dispose`
   */
  get handle(): number {
    if (this.#isDisposed) throw new DisposedError(this.#what);
    return this.#handle;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  /** Releases the handle; a second call does nothing. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#pending === 0) this.#releaseNow();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Keeps the native object alive while `promise`, which uses it in another thread, is pending. */
  protected async keepWhile<T>(promise: Promise<T>): Promise<T> {
    this.#pending++;
    try {
      return await promise;
    } finally {
      this.#pending--;
      if (this.#isDisposed && this.#pending === 0) this.#releaseNow();
    }
  }

  #releaseNow(): void {
    const handle = this.#handle;
    this.#handle = 0;
    if (handle !== 0) this.#release(handle);
  }
}
