// Page tables of sequences that share their first pages, as forks do.

/** How sequences share. */
export interface SharedPages {
  readonly sequences: number;
  /** Each `sequences / groups` neighbours share their first pages. */
  readonly groups: number;
  /** Pages that a group shares. */
  readonly shared: number;
  /** Pages that a sequence has to itself. */
  readonly own: number;
  /** Entries of a row; those behind the pages are −1. */
  readonly columns: number;
}

/** Pages that such tables name, from 0 on without gaps. */
export function sharedPageCount({ sequences, groups, shared, own }: SharedPages): number {
  return groups * shared + sequences * own;
}

/**
 * `[sequences, columns]`. Whether a kernel reads shared pages once follows from what the tables can hold: wide ones let a
 * test with few keys reach it.
 */
export function sharedTable({ sequences, groups, shared, own, columns }: SharedPages): number[] {
  const table = new Array<number>(sequences * columns).fill(-1);
  for (let row = 0; row < sequences; row++) {
    const group = Math.floor((row * groups) / sequences);
    for (let page = 0; page < shared; page++) table[row * columns + page] = group * shared + page;
    for (let page = 0; page < own; page++) table[row * columns + shared + page] = groups * shared + row * own + page;
  }
  return table;
}
