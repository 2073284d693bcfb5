// Host memory under a budget: slots, runs of neighbours, and what is asked of the system.

import { allocateHostBuffer, type HostBuffer } from '@limen/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { HostBudgetError } from '../errors/host-budget-error.js';
import { HostArena } from './host-arena.js';

const imageBytes = 96;
const slotBytes = 100;

function arenaOf(slots: number): { arena: HostArena; asked: number[] } {
  const asked: number[] = [];
  const allocate = (bytes: number): HostBuffer => {
    asked.push(bytes);
    return allocateHostBuffer('cpu', bytes);
  };
  return { arena: new HostArena({ imageBytes, budgetBytes: slots * slotBytes + 99, allocate }), asked };
}

describe('HostArena', () => {
  it('takes no memory before it is needed, and what the budget allows at once when that is little', () => {
    const { arena, asked } = arenaOf(5);
    expect(arena).toMatchObject({ capacity: 5, slotBytes, heldBytes: 0, reservedBytes: 0 });
    expect(asked).toEqual([]);
    expect(arena.take(2, 'test')).toEqual([0, 1]);
    expect(asked).toEqual([5 * imageBytes, 5 * 4]);
    expect(arena).toMatchObject({ heldBytes: 200, reservedBytes: 500 });
  });

  it('refuses what exceeds the budget with need, have and budget in bytes, and has changed nothing', () => {
    const { arena } = arenaOf(5);
    arena.take(3, 'test');
    const error = new HostBudgetError('test', { need: 300, have: 200, budget: 599 });
    expect(() => arena.take(3, 'test')).toThrowError(error);
    expect(error).toMatchObject({ code: 'HOST_BUDGET_EXCEEDED', need: 300, have: 200, budget: 599 });
    expect(error.message).toBe(
      'test: sequence does not fit the host tier: expected at least 300 bytes left of a budget of 599, got 200. ' +
        'Swap a sequence in, dispose a swapped one, or create the cache with more hostBytes.',
    );
    expect(arena.heldBytes).toBe(300);
    expect(arena.take(2, 'test')).toEqual([3, 4]);
  });

  it('says how to get a host tier where there is none', () => {
    const arena = new HostArena({ imageBytes, budgetBytes: 0, allocate: (bytes) => allocateHostBuffer('cpu', bytes) });
    expect(() => arena.take(1, 'test')).toThrowError('got 0. Create the cache with hostBytes.');
  });

  it('joins neighbours into runs, each with its part of images and numbers', () => {
    const { arena } = arenaOf(6);
    arena.take(6, 'test');
    arena.giveBack([1, 2, 4]);
    const slots = arena.take(3, 'test');
    expect(slots).toEqual([1, 2, 4]);
    const runs = arena.runs(slots);
    expect(runs.map(({ count, images, numbers }) => [count, images.byteOffset, images.length, numbers.length])).toEqual(
      [
        [2, 96, 192, 8],
        [1, 384, 96, 4],
      ],
    );
    expect(runs[1]?.numbers.byteOffset).toBe(16);
  });

  it('asks the system for at most a gibibyte at once, and never joins memory across blocks', () => {
    const sizes: number[] = [];
    // A stand-in without memory: 1.5 GiB images, of which two fit no block together.
    const bytes = new Uint8Array(0);
    const allocate = (byteLength: number): HostBuffer => {
      sizes.push(byteLength);
      return { byteLength, pinned: false, bytes, [Symbol.dispose]: () => undefined };
    };
    const arena = new HostArena({ imageBytes: 1.5 * 2 ** 30, budgetBytes: 5 * 2 ** 30, allocate });
    const slots = arena.take(3, 'test');
    expect(sizes).toEqual([1.5 * 2 ** 30, 4, 1.5 * 2 ** 30, 4, 1.5 * 2 ** 30, 4]);
    expect(arena.runs(slots).map(({ count }) => count)).toEqual([1, 1, 1]);
  });

  it('gives a half-made block back when the system refuses', () => {
    let [calls, disposed] = [0, 0];
    const allocate = (byteLength: number): HostBuffer => {
      calls += 1;
      if (calls === 2) throw new RangeError('no more');
      const buffer = allocateHostBuffer('cpu', byteLength);
      return Object.assign(buffer, { [Symbol.dispose]: () => void (disposed += 1) });
    };
    const arena = new HostArena({ imageBytes, budgetBytes: 1000, allocate });
    expect(() => arena.take(1, 'test')).toThrowError('no more');
    expect(disposed).toBe(1);
    expect(arena).toMatchObject({ heldBytes: 0, reservedBytes: 0 });
    expect(arena.take(1, 'test')).toEqual([0]);
  });

  it('never hands a slot out twice, over random histories', () => {
    const step = fc.record({ take: fc.boolean(), size: fc.nat(6), pick: fc.nat(9) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 40 }), (capacity, steps) => {
        const { arena } = arenaOf(capacity);
        const holders: number[][] = [];
        for (const { take, size, pick } of steps) {
          const free = capacity - holders.flat().length;
          if (take && size > free) expect(() => arena.take(size, 'test')).toThrowError(HostBudgetError);
          else if (take) holders.push(arena.take(size, 'test'));
          else arena.giveBack(holders.splice(pick % Math.max(1, holders.length), 1)[0] ?? []);
          const held = holders.flat();
          expect(new Set(held).size).toBe(held.length);
          expect(arena.heldBytes).toBe(held.length * slotBytes);
          for (const slots of holders) {
            expect(arena.runs(slots).reduce((sum, { count }) => sum + count, 0)).toBe(slots.length);
            expect(slots).toEqual([...slots].sort((a, b) => a - b));
          }
        }
      }),
      { seed: 11, numRuns: 2000 },
    );
  });
});
