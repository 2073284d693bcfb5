import fc from 'fast-check';
import { expect, test } from 'vitest';

import { LimenError } from '@limen/cuda-kernels';

import type { Allocation } from '../storage.js';
import { DeviceMemoryPool, sizeClass } from './device-memory-pool.js';

/** A device of a given size that hands out ever new addresses. */
class FakeDevice {
  readonly blocks = new Map<number, number>();
  #next = 4096;

  constructor(readonly capacity: number) {}

  get used(): number {
    return [...this.blocks.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  allocate(bytes: number): number {
    if (this.used + bytes > this.capacity) throw new LimenError('CUDA_cudaErrorMemoryAllocation', 'out of memory');
    this.#next += 4096;
    this.blocks.set(this.#next, bytes);
    return this.#next;
  }

  free(address: number): void {
    if (!this.blocks.delete(address)) throw new LimenError('TEST', 'freed twice');
  }

  freeBytes(): number {
    return this.capacity - this.used;
  }
}

test('size classes hold the request and waste at most an eighth', () => {
  fc.assert(
    fc.property(fc.integer({ min: 513, max: 2 ** 40 }), (bytes) => {
      const size = sizeClass(bytes);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size - bytes).toBeLessThanOrEqual(Math.max(bytes / 8, 512));
    }),
  );
});

test('a steady state asks the driver for nothing', () => {
  const pool = new DeviceMemoryPool('cuda:0', new FakeDevice(1e9));
  const step = () => [1000, 70_000, 3_000_000].map((bytes) => pool.allocate(bytes)).forEach((block) => block.release());
  step();
  const { driverAllocations } = pool.statistics();
  for (let repeat = 0; repeat < 100; repeat++) step();
  expect(pool.statistics().driverAllocations).toBe(driverAllocations);
  expect(pool.statistics().inUseBytes).toBe(0);
});

test("free bytes are the driver's and the idle ones, within the budget", () => {
  const pool = new DeviceMemoryPool('cuda:0', new FakeDevice(1_000_000));
  expect(pool.freeBytes()).toBe(1_000_000);
  const block = pool.allocate(512 * 100);
  const other = pool.allocate(512);
  const taken = sizeClass(512 * 100) + 512;
  expect(pool.freeBytes()).toBe(1_000_000 - taken);
  block.release();
  expect(pool.freeBytes()).toBe(1_000_000 - 512);
  pool.setBudget(100_000);
  expect(pool.freeBytes()).toBe(100_000 - 512);
  pool.setBudget(100);
  expect(pool.freeBytes()).toBe(0);
  other.release();
});

test('live blocks never share an address, whatever the history', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.boolean()), { maxLength: 60 }), (history) => {
      const device = new FakeDevice(1e9);
      const pool = new DeviceMemoryPool('cuda:0', device);
      const live: Allocation[] = [];
      for (const [bytes, frees] of history) {
        if (frees) live.pop()?.release();
        else live.push(pool.allocate(bytes));
        expect(new Set(live.map(({ address }) => address)).size).toBe(live.length);
      }
      const { inUseBytes, reservedBytes } = pool.statistics();
      expect(reservedBytes).toBe(device.used);
      expect(inUseBytes).toBeLessThanOrEqual(reservedBytes);
    }),
  );
});

test('a full device is trimmed first, then refused with need and have', () => {
  const pool = new DeviceMemoryPool('cuda:0', new FakeDevice(10_000));
  pool.allocate(6000).release();
  const block = pool.allocate(9000);
  expect(block.byteLength).toBe(9000);
  expect(() => pool.allocate(6000)).toThrow(/need 0\.0 MiB|out of memory/);
  expect(pool.statistics().reservedBytes).toBe(sizeClass(9000));
});

test('a budget bounds what is taken from the driver', () => {
  const pool = new DeviceMemoryPool('cuda:0', new FakeDevice(1e9));
  pool.setBudget(4096);
  pool.allocate(2048);
  expect(() => pool.allocate(4096)).toThrow(/OUT_OF_MEMORY|out of memory/);
});
