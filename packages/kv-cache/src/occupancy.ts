// How well sequences fill the pages they hold. Pure.

import { noPage } from './page-table.js';

/** What is read of a sequence. */
export interface Occupant {
  /** Page numbers in token order; `noPage` where a window has given a page back. */
  readonly pages: readonly number[];
  /** Valid tokens, also those whose page was given back. */
  readonly length: number;
}

/** Use of the pages that sequences hold. */
export interface Occupancy {
  readonly sequences: number;
  /** Tokens stored; one that sequences share counts once. */
  readonly tokens: number;
  /** Slots without a token that each sequence holds, in tokens; 0 without sequences. */
  readonly wastePerSequence: { readonly mean: number; readonly largest: number };
  /** Share of the slots in used pages that hold no token, in [0, 1). */
  readonly fragmentation: number;
}

/** Measures sequences over pages of `pageSize` tokens. */
export function measureOccupancy(sequences: Iterable<Occupant>, pageSize: number): Occupancy {
  const filled = new Map<number, number>();
  let [count, waste, largest] = [0, 0, 0];
  for (const { pages, length } of sequences) {
    let empty = 0;
    pages.forEach((page, index) => {
      if (page === noPage) return;
      const here = Math.min(pageSize, Math.max(0, length - index * pageSize));
      empty += pageSize - here;
      filled.set(page, Math.max(filled.get(page) ?? 0, here));
    });
    count += 1;
    waste += empty;
    largest = Math.max(largest, empty);
  }
  let tokens = 0;
  for (const here of filled.values()) tokens += here;
  return {
    sequences: count,
    tokens,
    wastePerSequence: { mean: count === 0 ? 0 : waste / count, largest },
    fragmentation: filled.size === 0 ? 0 : 1 - tokens / (filled.size * pageSize),
  };
}
