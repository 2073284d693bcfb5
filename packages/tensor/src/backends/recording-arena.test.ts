import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { InvalidArgumentError } from '../errors/invalid-argument-error.js';
import type { Allocation } from '../storage.js';
import { DeviceMemoryPool } from './device-memory-pool.js';
import { type ArenaLease, RecordingArena, requireArena } from './recording-arena.js';

function devicePool(): DeviceMemoryPool {
  let next = 4096;
  const free = () => undefined;
  return new DeviceMemoryPool('cuda:0', { allocate: (bytes) => (next += bytes + 4096), free, freeBytes: () => 1e12 });
}

/** Records with an arena what `make` takes; each request is given back before the next one. */
function recordOneByOne(pool: DeviceMemoryPool, arena: RecordingArena, requests: readonly number[]): ArenaLease {
  pool.openArena(arena);
  for (const bytes of requests) pool.allocate(bytes).release();
  pool.closeArena();
  return arena.end();
}

describe('memory of a recording', () => {
  test('is not handed out elsewhere until the recording is disposed', () => {
    const pool = devicePool();
    const arena = new RecordingArena('cuda:0', pool);
    pool.openArena(arena);
    const inside = pool.allocate(1000);
    inside.release();
    const again = pool.allocate(1000);
    expect(again.address).toBe(inside.address);
    pool.closeArena();
    const lease = arena.end();
    again.release();
    expect(pool.allocate(1000).address).not.toBe(inside.address);
    lease[Symbol.dispose]();
    lease[Symbol.dispose]();
    expect(pool.allocate(1000).address).toBe(inside.address);
    expect(pool.statistics().arenaBytes).toBe(0);
  });

  test('goes to the device when a tensor outlives the recording', () => {
    const pool = devicePool();
    const arena = new RecordingArena('cuda:0', pool);
    pool.openArena(arena);
    const survivor = pool.allocate(1000);
    pool.closeArena();
    arena.end()[Symbol.dispose]();
    expect([arena.bytes, pool.statistics().arenaBytes]).toEqual([1024, 1024]);
    survivor.release();
    expect([arena.bytes, pool.statistics().arenaBytes]).toEqual([0, 0]);
    expect(pool.allocate(1000).address).toBe(survivor.address);
  });

  test('is the device’s own: a pool for another device is refused', () => {
    const arena = new RecordingArena('cuda:1', devicePool());
    expect(() => requireArena(arena, 'cuda:0')).toThrowError(InvalidArgumentError);
    expect(requireArena(arena, 'cuda:1')).toBe(arena);
  });
});

describe('recordings of one arena', () => {
  test('share what is idle within each, and larger ones first make room for all', () => {
    const pool = devicePool();
    const arena = new RecordingArena('cuda:0', pool);
    const leases = [64, 32, 16, 8, 4, 2, 1].map((batch) => recordOneByOne(pool, arena, [batch * 4096, batch * 8192]));
    expect(arena.bytes).toBe(64 * 4096 + 64 * 8192);
    expect(leases.every(({ bytes }) => bytes <= arena.bytes)).toBe(true);
    for (const lease of leases) lease[Symbol.dispose]();
    expect(arena.bytes).toBe(0);
  });

  test('never share a block that a tensor of one of them holds', () => {
    const pool = devicePool();
    const arena = new RecordingArena('cuda:0', pool);
    pool.openArena(arena);
    const result = pool.allocate(4096);
    pool.closeArena();
    arena.end();
    pool.openArena(arena);
    expect(pool.allocate(4096).address).not.toBe(result.address);
  });

  test('keep a shared block until the last of them is disposed', () => {
    const pool = devicePool();
    const arena = new RecordingArena('cuda:0', pool);
    const [first, second] = [recordOneByOne(pool, arena, [4096]), recordOneByOne(pool, arena, [4096])];
    first[Symbol.dispose]();
    expect(arena.bytes).toBe(4096);
    second[Symbol.dispose]();
    expect(arena.bytes).toBe(0);
  });

  test('do not touch what one of them keeps apart, not even when its tensor is gone', () => {
    const pool = devicePool();
    const arena = new RecordingArena('cuda:0', pool);
    recordOneByOne(pool, arena, [4096]);
    pool.openArena(arena);
    const result = arena.apart(() => pool.allocate(4096));
    pool.closeArena();
    const lease = arena.end();
    result.release();
    expect(arena.bytes).toBe(8192);
    recordOneByOne(pool, arena, [4096, 4096]);
    pool.openArena(arena);
    expect([pool.allocate(4096), pool.allocate(4096)].map(({ address }) => address)).not.toContain(result.address);
    pool.closeArena();
    lease[Symbol.dispose]();
    expect(pool.allocate(4096).address).toBe(result.address);
  });

  test('leave a large block to a later recording rather than put a few bytes into it', () => {
    const pool = devicePool();
    const arena = new RecordingArena('cuda:0', pool);
    recordOneByOne(pool, arena, [2 ** 20]);
    const { bytes } = recordOneByOne(pool, arena, [16]);
    expect(bytes).toBe(512);
  });

  test('whatever the history, no two live tensors and no eager block share memory, and nothing is lost', () => {
    const action = fc.record({
      what: fc.constantFrom('record', 'abort', 'dispose', 'eager', 'release'),
      sizes: fc.array(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.boolean()), { maxLength: 5 }),
      at: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const pool = devicePool();
        const arena = new RecordingArena('cuda:0', pool);
        const leases: ArenaLease[] = [];
        const live: Allocation[] = [];
        for (const { what, sizes, at } of actions) {
          if (what === 'record' || what === 'abort') {
            pool.openArena(arena);
            for (const [bytes, keep] of sizes) {
              const block = pool.allocate(bytes);
              expect(live.map(({ address }) => address)).not.toContain(block.address);
              if (keep) live.push(block);
              else block.release();
            }
            pool.closeArena();
            const lease = arena.end();
            if (what === 'abort') lease[Symbol.dispose]();
            else leases.push(lease);
          } else if (what === 'dispose') {
            leases.splice(at, 1).forEach((lease) => lease[Symbol.dispose]());
          } else if (what === 'release') {
            live.splice(at, 1).forEach((block) => block.release());
          } else {
            const block = pool.allocate(1 + at * 500);
            expect(live.map(({ address }) => address)).not.toContain(block.address);
            live.push(block);
          }
        }
        for (const lease of leases) lease[Symbol.dispose]();
        for (const block of live) block.release();
        expect([arena.bytes, pool.statistics().arenaBytes, pool.statistics().inUseBytes]).toEqual([0, 0, 0]);
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});
