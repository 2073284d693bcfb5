// Where the clock of a measurement starts and ends, on a CPU and, with a stream that only takes notes, on a GPU.

import { beforeEach, describe, expect, it, vi } from 'vitest';

import { timeLaunches } from './measure.js';

const notes: string[] = [];

vi.mock('@limen/tensor', () => ({
  streamHandle: (device: string) => (device === 'cpu' ? undefined : 7),
  synchronize: () => {
    notes.push('idle');
    return Promise.resolve();
  },
}));

vi.mock('@limen/cuda-kernels', () => ({
  Event: {
    create: (device: number) => ({
      record: ({ handle }: { readonly handle: number }) => notes.push(`mark in stream ${handle} of device ${device}`),
      millisecondsSince: () => 12,
      dispose: () => notes.push('released'),
    }),
  },
}));

describe('timeLaunches', () => {
  beforeEach(() => {
    notes.length = 0;
  });

  const launch = () => void notes.push('launch');
  const mark = 'mark in stream 7 of device 1';

  it('measures a GPU between marks that only the launches of a run stand between', async () => {
    const sample = await timeLaunches('cuda:1', launch, { runs: 2, calls: 3, warmUps: 1 });
    const run = ['idle', mark, 'launch', 'launch', 'launch', mark, 'idle'];
    expect(notes).toEqual(['launch', 'launch', 'launch', ...run, ...run, 'released', 'released']);
    expect(sample).toEqual({ median: 4, spread: 0, runs: 2 });
  });

  it('measures a CPU by the clock of the host, and makes no marks', async () => {
    const sample = await timeLaunches('cpu', launch, { runs: 2, calls: 3, warmUps: 1 });
    expect(notes.filter((note) => note === 'launch')).toHaveLength(9);
    expect(notes).not.toContain(mark);
    expect(sample.runs).toBe(2);
  });
});
