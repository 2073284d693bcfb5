import { InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { buildPageTable } from './page-table.js';

const sequences = [{ pages: [4, 2] }, { pages: [] }, { pages: [7] }];

describe('buildPageTable', () => {
  it('is as wide as the longest sequence and marks missing pages with −1', () => {
    expect(buildPageTable(sequences)).toEqual({ rows: 3, columns: 2, values: Int32Array.of(4, 2, -1, -1, 7, -1) });
  });

  it('keeps the shape it is given', () => {
    const table = buildPageTable(sequences.slice(0, 1), { rows: 2, columns: 3 });
    expect([...table.values]).toEqual([4, 2, -1, -1, -1, -1]);
  });

  it('has one column even when no sequence has a page', () => {
    expect(buildPageTable([{ pages: [] }])).toEqual({ rows: 1, columns: 1, values: Int32Array.of(-1) });
  });

  it('rejects a table that is too small', () => {
    expect(() => buildPageTable(sequences, { columns: 1 })).toThrowError(
      'expected at least 2, the pages of sequence 0',
    );
    expect(() => buildPageTable(sequences, { rows: 2 })).toThrowError('expected at least 3, one row for each sequence');
    expect(() => buildPageTable(sequences, { columns: 0 })).toThrowError(InvalidArgumentError);
  });
});
