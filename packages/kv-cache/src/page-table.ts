// Pages of several sequences as the one rectangular table that cache ops read. Pure.

import { invalidArgument, requireCount } from './argument-checks.js';

/** Entry of a table cell without a page. */
export const noPage = -1;

/** What a table reads of a sequence; `SequencePages` and `CacheSequence` both fit. */
export interface PageHolder {
  readonly pages: readonly number[];
}

/** Page numbers `[rows, columns]` in row-major order; row `b` belongs to sequence `b`, column `m` to its page `m`. */
export interface PageTable {
  readonly rows: number;
  readonly columns: number;
  readonly values: Int32Array;
}

/** Shape of a table when it must be larger than the sequences need, for example to fit a captured graph. */
export interface PageTableShape {
  /** Sequences, including empty rows at the end; default: as many as given. */
  readonly rows?: number;
  /** Pages for each sequence; default: the longest one's. */
  readonly columns?: number;
}

/**
 * Lays out the pages of `sequences` as a table `[rows, columns]`; cells without a page hold −1.
 *
 * @param sequences - row `b` of the table is `sequences[b]`
 * @throws {InvalidArgumentError} a sequence has more pages than `columns`, or there are more sequences than `rows`
 */
export function buildPageTable(sequences: readonly PageHolder[], shape: PageTableShape = {}): PageTable {
  const caller = 'buildPageTable';
  const rows = shape.rows ?? sequences.length;
  const longest = sequences.reduce((most, { pages }) => Math.max(most, pages.length), 0);
  const columns = shape.columns ?? Math.max(1, longest);
  requireCount(caller, 'rows', rows);
  requireCount(caller, 'columns', columns, 1);
  if (sequences.length > rows) {
    throw invalidArgument({
      caller,
      argument: 'rows',
      problem: 'is too small',
      expected: `at least ${sequences.length}, one row for each sequence`,
      got: rows,
      fix: 'Pass fewer sequences or more rows.',
    });
  }
  const values = new Int32Array(rows * columns).fill(noPage);
  sequences.forEach(({ pages }, row) => {
    if (pages.length > columns) {
      throw invalidArgument({
        caller,
        argument: 'columns',
        problem: 'is too small',
        expected: `at least ${pages.length}, the pages of sequence ${row}`,
        got: columns,
        fix: 'Use a larger table, or truncate the sequence.',
      });
    }
    values.set(pages, row * columns);
  });
  return { rows, columns, values };
}
