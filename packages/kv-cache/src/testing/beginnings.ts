// A few contents that often begin alike, and a number for every beginning, found by comparing the contents themselves.

import type { PrefixContent } from '../prefix-content.js';
import { PrefixChain } from '../prefix-chain.js';

/** What a sequence is filled with. */
export interface Content {
  readonly tenant: 'one' | 'another';
  readonly token: 0 | 1;
  /** Equal bytes of two shapes, standing at all of the tokens. */
  readonly image: 'none' | 'wide' | 'high';
  /** Whether a prompt may be found to its last token. */
  readonly whole: boolean;
}

/** Numbers beginnings: two positions have the same number exactly if all up to there is the same. */
export class Beginnings {
  readonly #numbers = new Map<string, number>();

  chain({ tenant }: Content, pageSize: number): PrefixChain {
    return new PrefixChain({ model: 'model', salt: tenant, pageSize });
  }

  /** Appends `count` tokens to a chain whose positions have the numbers `before`; returns the new positions' numbers. */
  extend(chain: PrefixChain, before: readonly number[], { token, image }: Content, count: number): number[] {
    const tokens = new Array<number>(count).fill(token);
    const [height, width] = image === 'wide' ? [1, 2] : [2, 1];
    const bytes = Uint8Array.of(7, 8);
    const picture = { at: 0, tokens: count, height, width, channels: 1, dtype: 'u8', bytes } as const;
    const content: PrefixContent = image === 'none' || count === 0 ? { tokens } : { tokens, images: [picture] };
    chain.append(content);
    let previous = before.at(-1) ?? this.#number(chain.origin.salt);
    return tokens.map((_, offset) => {
      const part = image === 'none' ? '' : `${image}, part ${offset} of ${count}`;
      previous = this.#number(`${previous}, then ${token} ${part}`);
      return previous;
    });
  }

  #number(what: string): number {
    const known = this.#numbers.get(what) ?? this.#numbers.size;
    this.#numbers.set(what, known);
    return known;
  }
}
