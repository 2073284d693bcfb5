// A sequence whose keys and values lie in host memory.

/** `held`: in host memory; `returning`: on its way back; `gone`: swapped in, or disposed. */
export type SwapState = 'held' | 'returning' | 'gone';

/** What a swapped sequence asks of the tier that holds it. */
export interface SwapKeeper {
  /** Gives the memory of a held sequence up. */
  discard(sequence: SwappedSequence): void;
}

/**
 * A sequence in host memory. Made by `PagedCache.swapOut`; bring it back with `PagedCache.swapIn`, or dispose it to give
 * its tokens up. While it is held it takes no page.
 */
export class SwappedSequence implements Disposable {
  readonly #keeper: SwapKeeper;
  /** Valid tokens. */
  readonly tokens: number;
  /** Host memory that it takes while it is held. */
  readonly bytes: number;
  #state: SwapState = 'held';

  /** For the host tier. */
  constructor(keeper: SwapKeeper, facts: { readonly tokens: number; readonly bytes: number }) {
    this.#keeper = keeper;
    this.tokens = facts.tokens;
    this.bytes = facts.bytes;
  }

  get state(): SwapState {
    return this.#state;
  }

  /** For the host tier, which owns the memory. */
  enter(state: SwapState): void {
    this.#state = state;
  }

  /** Gives the tokens up. Without effect while the sequence is on its way back, and afterwards. */
  dispose(): void {
    if (this.#state === 'held') this.#keeper.discard(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
