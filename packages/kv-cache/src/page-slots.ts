// Where the tokens of sequences lie in pages, as references of ops see it: plain arrays, nothing but arithmetic.

import type { HostArray } from '@limen/tensor';

/** Calls `visit` for each token that exists, with its place. */
export function forEachToken(
  {
    tokens,
    pages,
    pageTable,
    lengths,
  }: {
    /** `S`: tokens of a row that the contiguous side has room for. */
    readonly tokens: number;
    /** `[G, P, ...]` */
    readonly pages: { readonly shape: readonly number[] };
    /** `[B, M]` */
    readonly pageTable: HostArray<Int32Array>;
    /** `[B]` */
    readonly lengths: HostArray<Int32Array>;
  },
  /** `token` counts over `B · S`, `slot` over `G · P`. */
  visit: (token: number, slot: number) => void,
): void {
  const [pageCount = 0, pageSize = 0] = pages.shape;
  const [, pagesPerSequence = 0] = pageTable.shape;
  for (const [batch, length] of lengths.data.entries()) {
    for (let position = 0; position < Math.min(length, tokens); position++) {
      const turn = Math.floor(position / pageSize);
      const page = turn < pagesPerSequence ? (pageTable.data[batch * pagesPerSequence + turn] ?? -1) : -1;
      if (page < 0 || page >= pageCount) continue;
      visit(batch * tokens + position, page * pageSize + (position % pageSize));
    }
  }
}
