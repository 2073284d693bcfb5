import { describe, expect, it } from 'vitest';

import { previewsDue } from './previews-due.js';

function shown(count: number, reports: readonly number[], total: number): (readonly [done: number, index: number])[] {
  const isDue = previewsDue(count);
  return reports.flatMap((done) => {
    const index = isDue(done, total);
    return index === undefined ? [] : [[done, index] as const];
  });
}

const everyRow = Array.from({ length: 24 }, (_, row) => (row + 1) * 24);

describe('previewsDue', () => {
  it('shows nothing when nothing is asked for', () => {
    expect(shown(0, everyRow, 576)).toEqual([]);
  });

  it('spreads previews evenly', () => {
    expect(shown(3, everyRow, 576)).toEqual([
      [144, 0],
      [288, 1],
      [432, 2],
    ]);
  });

  it('lets one preview stand for the marks that a report jumps over', () => {
    expect(shown(3, [500], 576)).toEqual([[500, 2]]);
  });

  it('leaves the finished picture to the end', () => {
    expect(shown(3, [576], 576)).toEqual([]);
  });
});
