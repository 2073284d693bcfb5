// A caching allocator for device memory. Freed blocks are kept by size class and handed out again in stream order, so
// that a steady state asks the driver for nothing. While a capture is under way an arena hands out the blocks and keeps
// them: a graph replays on the addresses it was captured with.

import { LimenError } from '@limen/cuda-kernels';

import type { DeviceName } from '../device.js';
import { OutOfMemoryError } from '../errors/out-of-memory-error.js';
import type { Allocation } from '../storage.js';
import type { ArenaBlock, BlockSource, RecordingArena } from './recording-arena.js';

/** The four things the pool asks of a device. */
export interface DeviceMemory {
  allocate(bytes: number): number;
  free(address: number): void;
  freeBytes(): number;
}

/** What the pool holds, in bytes unless said otherwise. */
export interface MemoryStatistics {
  /** Held by live tensors and workspaces. */
  readonly inUseBytes: number;
  /** Taken from the driver: in use plus cached. */
  readonly reservedBytes: number;
  readonly peakInUseBytes: number;
  readonly peakReservedBytes: number;
  /** Held by recordings. */
  readonly arenaBytes: number;
  /** Share of reserved memory that is idle, 0 to 1. */
  readonly fragmentation: number;
  /** Allocations served, and how many of them had to ask the driver. */
  readonly allocations: number;
  readonly driverAllocations: number;
  readonly budgetBytes: number;
}

const smallest = 512;
const largeStep = 2 * 2 ** 20;

/** Rounds up to a class at most 1/8 above the request; large blocks to 2 MiB, the driver's own granularity. */
export function sizeClass(bytes: number): number {
  if (bytes <= smallest) return smallest;
  if (bytes > 8 * largeStep) return Math.ceil(bytes / largeStep) * largeStep;
  const step = Math.max(smallest, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}

/** One pool per device. */
export class DeviceMemoryPool implements BlockSource {
  readonly #device: DeviceName;
  readonly #memory: DeviceMemory;
  readonly #idle = new Map<number, number[]>();
  #arena: RecordingArena | undefined;
  #budgetBytes = Infinity;
  #inUse = 0;
  #reserved = 0;
  #arenaBytes = 0;
  #peakInUse = 0;
  #peakReserved = 0;
  #allocations = 0;
  #driverAllocations = 0;

  constructor(device: DeviceName, memory: DeviceMemory) {
    this.#device = device;
    this.#memory = memory;
  }

  /** @throws {OutOfMemoryError} neither the cache, the budget nor the driver has room */
  allocate(byteLength: number): Allocation {
    const allocation = this.#arena?.allocate(byteLength) ?? this.#allocateIdle(byteLength);
    const bytes = sizeClass(byteLength);
    this.#allocations++;
    this.#inUse += bytes;
    this.#peakInUse = Math.max(this.#peakInUse, this.#inUse);
    return {
      address: allocation.address,
      byteLength,
      release: () => {
        this.#inUse -= bytes;
        allocation.release();
      },
    };
  }

  /** From here on, allocations come from and return to the arena. */
  openArena(arena: RecordingArena): void {
    arena.begin();
    this.#arena = arena;
  }

  closeArena(): void {
    this.#arena = undefined;
  }

  /** A block for an arena. */
  takeBlock(byteLength: number): ArenaBlock {
    const bytes = sizeClass(byteLength);
    const address = this.#idle.get(bytes)?.pop() ?? this.#fromDriver(bytes);
    this.#arenaBytes += bytes;
    return { address, byteLength: bytes };
  }

  returnBlock({ address, byteLength }: ArenaBlock): void {
    this.#arenaBytes -= byteLength;
    put(this.#idle, byteLength, address);
  }

  /** Sets the most the pool may take from the driver. */
  setBudget(bytes: number): void {
    this.#budgetBytes = bytes;
  }

  /** Gives idle blocks back to the driver; returns the bytes given back. */
  trim(): number {
    let trimmed = 0;
    for (const [bytes, addresses] of this.#idle) {
      for (const address of addresses) {
        this.#memory.free(address);
        trimmed += bytes;
      }
    }
    this.#idle.clear();
    this.#reserved -= trimmed;
    return trimmed;
  }

  /** Bytes that new blocks can take: the driver's free ones and the pool's idle ones, within the budget. */
  freeBytes(): number {
    let idle = 0;
    for (const [bytes, addresses] of this.#idle) idle += bytes * addresses.length;
    return Math.max(0, Math.min(this.#memory.freeBytes() + idle, this.#budgetBytes - this.#reserved + idle));
  }

  statistics(): MemoryStatistics {
    return {
      inUseBytes: this.#inUse,
      reservedBytes: this.#reserved,
      peakInUseBytes: this.#peakInUse,
      peakReservedBytes: this.#peakReserved,
      arenaBytes: this.#arenaBytes,
      fragmentation: this.#reserved === 0 ? 0 : 1 - this.#inUse / this.#reserved,
      allocations: this.#allocations,
      driverAllocations: this.#driverAllocations,
      budgetBytes: this.#budgetBytes,
    };
  }

  #allocateIdle(byteLength: number): Allocation {
    const bytes = sizeClass(byteLength);
    const address = this.#idle.get(bytes)?.pop() ?? this.#fromDriver(bytes);
    return { address, byteLength, release: () => put(this.#idle, bytes, address) };
  }

  #fromDriver(bytes: number): number {
    if (this.#reserved + bytes > this.#budgetBytes) this.trim();
    if (this.#reserved + bytes > this.#budgetBytes) throw this.#outOfMemory(bytes);
    const address = this.#tryDriver(bytes) ?? (this.trim() > 0 ? this.#tryDriver(bytes) : undefined);
    if (address === undefined) throw this.#outOfMemory(bytes);
    this.#driverAllocations++;
    this.#reserved += bytes;
    this.#peakReserved = Math.max(this.#peakReserved, this.#reserved);
    return address;
  }

  /** Undefined when the device is full; other failures pass through. */
  #tryDriver(bytes: number): number | undefined {
    try {
      return this.#memory.allocate(bytes);
    } catch (error) {
      const code = LimenError.isInstance(error) ? error.code : String((error as { code?: unknown }).code);
      if (/memory_?allocation|out_?of_?memory/i.test(code)) return undefined;
      throw error;
    }
  }

  #outOfMemory(needBytes: number): OutOfMemoryError {
    return new OutOfMemoryError(this.#device, {
      needBytes,
      freeBytes: this.#memory.freeBytes(),
      inUseBytes: this.#inUse,
      budgetBytes: this.#budgetBytes,
    });
  }
}

function put(lists: Map<number, number[]>, bytes: number, address: number): void {
  const list = lists.get(bytes);
  if (list === undefined) lists.set(bytes, [address]);
  else list.push(address);
}
