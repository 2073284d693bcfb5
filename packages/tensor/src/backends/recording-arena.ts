// Memory of recordings. A recording replays on the blocks it was made with, so they are handed to nobody else while it
// lives; recordings of one arena replay one after another, so a block that is idle within one serves the next as well.

import type { DeviceName } from '../device.js';
import { InvalidArgumentError } from '../errors/invalid-argument-error.js';
import type { Allocation } from '../storage.js';

/** A block as its device hands it out. */
export interface ArenaBlock {
  /** Device address; 0 on the host. */
  readonly address: number;
  /** Host bytes; undefined on a device. */
  readonly bytes?: Uint8Array;
  /** Usable bytes, at least what was asked for. */
  readonly byteLength: number;
}

/** Where an arena gets its blocks from and gives them back to. */
export interface BlockSource {
  takeBlock(byteLength: number): ArenaBlock;
  returnBlock(block: ArenaBlock): void;
}

/** Memory that several recordings share, because they never replay at the same time. */
export interface RecordingPool {
  readonly device: DeviceName;
  /** Bytes that its recordings hold together. */
  readonly bytes: number;
}

/** The blocks of one recording. */
export interface ArenaLease extends Disposable {
  /** Bytes of the blocks that the recording uses; some may serve other recordings too. */
  readonly bytes: number;
}

// A block may be much larger than the request it serves, so that the recording of a batch of 1 fits into what that of a
// batch of 64 left idle; but a request of a few bytes must not take the largest block away from the next recording.
const largestExcess = 64;
const alwaysFits = 4096;

/** Blocks of any number of recordings. One recording is made at a time, between `begin` and `end`. */
export class RecordingArena implements RecordingPool {
  readonly device: DeviceName;
  readonly #source: BlockSource;
  readonly #users = new Map<ArenaBlock, number>();
  /** Blocks that no tensor holds, ascending by size. */
  readonly #idle: ArenaBlock[] = [];
  /** Blocks of one recording that no other may use: what a replay leaves behind in them is read after other replays. */
  readonly #apart = new Set<ArenaBlock>();
  #session: Set<ArenaBlock> | undefined;
  #takesApart = false;
  #bytes = 0;

  constructor(device: DeviceName, source: BlockSource) {
    this.device = device;
    this.#source = source;
  }

  get bytes(): number {
    return this.#bytes;
  }

  begin(): void {
    this.#session = new Set();
  }

  /** The blocks of what was recorded since `begin`. Disposing the lease gives back those that nobody else uses. */
  end(): ArenaLease {
    const blocks = this.#session ?? new Set<ArenaBlock>();
    this.#session = undefined;
    for (const block of blocks) this.#users.set(block, (this.#users.get(block) ?? 0) + 1);
    let bytes = 0;
    for (const block of blocks) bytes += block.byteLength;
    let disposed = false;
    return {
      bytes,
      [Symbol.dispose]: () => {
        if (disposed) return;
        disposed = true;
        for (const block of blocks) this.#leave(block);
      },
    };
  }

  /** What `work` allocates stays out of the memory that recordings share. */
  apart<Result>(work: () => Result): Result {
    this.#takesApart = true;
    try {
      return work();
    } finally {
      this.#takesApart = false;
    }
  }

  /** A block for the recording that is being made. Its release makes it idle, for this recording and the next ones. */
  allocate(byteLength: number): Allocation {
    const block = (this.#takesApart ? undefined : this.#takeIdle(byteLength)) ?? this.#takeNew(byteLength);
    if (this.#takesApart) this.#apart.add(block);
    this.#session?.add(block);
    return {
      ...(block.bytes === undefined ? {} : { bytes: block.bytes.subarray(0, byteLength) }),
      address: block.address,
      byteLength,
      release: () => {
        // A tensor may outlive every recording that used its block: the block then goes back to the device.
        // One kept apart stays idle for as long as its recording may write to it.
        if (this.#session?.has(block) === true || (this.#users.get(block) ?? 0) > 0) this.#putIdle(block);
        else this.#giveBack(block);
      },
    };
  }

  #takeIdle(byteLength: number): ArenaBlock | undefined {
    let at = this.#placeOf(byteLength);
    while (at < this.#idle.length && this.#apart.has(this.#idle[at] as ArenaBlock)) at++;
    const block = this.#idle[at];
    if (block === undefined) return undefined;
    if (block.byteLength > Math.max(alwaysFits, largestExcess * byteLength)) return undefined;
    this.#idle.splice(at, 1);
    return block;
  }

  #takeNew(byteLength: number): ArenaBlock {
    const block = this.#source.takeBlock(byteLength);
    this.#bytes += block.byteLength;
    return block;
  }

  #leave(block: ArenaBlock): void {
    const users = (this.#users.get(block) ?? 1) - 1;
    if (users > 0) {
      this.#users.set(block, users);
      return;
    }
    this.#users.delete(block);
    const place = this.#idle.indexOf(block);
    if (place < 0 || this.#session?.has(block) === true) return;
    this.#idle.splice(place, 1);
    this.#giveBack(block);
  }

  #giveBack(block: ArenaBlock): void {
    this.#apart.delete(block);
    this.#bytes -= block.byteLength;
    this.#source.returnBlock(block);
  }

  #putIdle(block: ArenaBlock): void {
    this.#idle.splice(this.#placeOf(block.byteLength), 0, block);
  }

  /** Index of the first idle block of at least so many bytes. */
  #placeOf(byteLength: number): number {
    let [low, high] = [0, this.#idle.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#idle[middle]?.byteLength ?? Infinity) < byteLength) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * A pool as the backend that made it.
 *
 * @throws {InvalidArgumentError} it was opened for another device, or not by `openRecordingPool`
 */
export function requireArena(pool: RecordingPool, device: DeviceName): RecordingArena {
  if (pool instanceof RecordingArena && pool.device === device) return pool;
  throw new InvalidArgumentError(
    `record: pool does not fit: expected one opened for ${device}, got one for ${pool.device}. ` +
      'Make it with openRecordingPool(device).',
    { device, pool: pool.device },
  );
}
