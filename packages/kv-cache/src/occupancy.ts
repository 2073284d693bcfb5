// How well sequences fill the pages they hold. Pure.

/** What is read of a sequence. */
export interface Occupant {
  readonly pages: readonly number[];
  /** Valid tokens. */
  readonly length: number;
}

/** Use of the pages that sequences hold. */
export interface Occupancy {
  readonly sequences: number;
  /** Tokens stored; one that forks share counts once. */
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
    const empty = pages.length * pageSize - length;
    count += 1;
    waste += empty;
    largest = Math.max(largest, empty);
    pages.forEach((page, index) => {
      const here = Math.min(pageSize, Math.max(0, length - index * pageSize));
      filled.set(page, Math.max(filled.get(page) ?? 0, here));
    });
  }
  const tokens = [...filled.values()].reduce((sum, here) => sum + here, 0);
  return {
    sequences: count,
    tokens,
    wastePerSequence: { mean: count === 0 ? 0 : waste / count, largest },
    fragmentation: filled.size === 0 ? 0 : 1 - tokens / (filled.size * pageSize),
  };
}
