// Swaps sequences between the pages of a cache and host memory, beside the work of the ops.
//
// Pages travel in pieces over two lanes: while the link carries one piece, the other lane collects or spreads the next.
// Ops wait for none of it. What order there is: a swap begins after the ops called so far, pages are free when their
// piece has left, and a sequence is handed back when all of it has arrived.

import { allocateHostBuffer, DisposedError, requireNoCapture } from '@limen/tensor';

import { invalidArgument, requireCount } from '../argument-checks.js';
import type { CacheSequence } from '../cache-sequence.js';
import type { PageMemory } from '../page-memory.js';
import type { PagePool } from '../page-pool.js';
import { noPage } from '../page-table.js';
import type { SequenceOutline } from '../sequence-pages.js';
import { HostArena } from './host-arena.js';
import { type PageImage, pageImage } from './page-image.js';
import { PageLane } from './page-lane.js';
import { SwappedSequence, type SwapKeeper } from './swapped-sequence.js';

/** What host tier and files ask of the cache they serve. */
export interface PageOwner {
  readonly memory: PageMemory;
  readonly pool: PagePool;
  /** A sequence on pages of its own, which are written next. */
  remake(outline: SequenceOutline, caller: string): CacheSequence;
  /** Whether a sequence is a live one of this cache. */
  owns(sequence: CacheSequence): boolean;
  /** Device memory of each lane's buffer. */
  readonly stagingBytes: number;
}

/** The host tier at one moment. Bytes of swaps are bytes of pages that crossed the link. */
export interface HostTierStatistics {
  readonly swapsOut: number;
  readonly swapsIn: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Swaps under way. */
  readonly inFlight: number;
  /** Sequences in host memory. */
  readonly heldSequences: number;
  /** Host memory that swapped sequences take, also those under way. */
  readonly heldBytes: number;
  /** Host memory taken from the system; it is kept and reused. */
  readonly reservedBytes: number;
  readonly budgetBytes: number;
}

/** Bytes of a piece, of which each lane holds one in device memory: long enough for a copy at full speed. */
export const defaultStagingBytes = 32 * 2 ** 20;
/** Parts of an image begin at such multiples, so that kernels move 16 bytes at a time. */
export const imageAlignment = 16;
const laneCount = 2;
/** Swaps whose copies are enqueued at the same time; later ones wait on the host. */
const swapsAtOnce = 4;
/** Pieces of one swap that are enqueued at the same time: the device's queue stays short, and the link never idle. */
const piecesAtOnce = 16;

/** What the tier knows of a sequence that it holds. */
interface Holding {
  readonly outline: SequenceOutline;
  /** Where its pages are, in token order. */
  readonly slots: readonly number[];
}

/** Pages that travel together. */
interface Piece {
  readonly pages: readonly number[];
  readonly slots: readonly number[];
}

/** The part of a cache that lies in host memory. */
export class HostTier implements Disposable, SwapKeeper {
  readonly #owner: PageOwner;
  readonly #image: PageImage;
  readonly #arena: HostArena;
  readonly #budgetBytes: number;
  readonly #held = new Map<SwappedSequence, Holding>();
  readonly #waiting: (() => void)[] = [];
  readonly #counts = { swapsOut: 0, swapsIn: 0, bytesOut: 0, bytesIn: 0 };
  #lanes: readonly PageLane[] = [];
  #inFlight = 0;
  #disposed = false;

  /** @throws {InvalidArgumentError} `budgetBytes` is no count */
  constructor(owner: PageOwner, budgetBytes: number) {
    requireCount('PagedCache.create', 'hostBytes', budgetBytes);
    requireCount('PagedCache.create', 'stagingBytes', owner.stagingBytes, 1);
    this.#owner = owner;
    this.#budgetBytes = budgetBytes;
    const { memory } = owner;
    this.#image = pageImage(memory.options, imageAlignment);
    const allocate = (bytes: number) => allocateHostBuffer(memory.device, bytes);
    this.#arena = new HostArena({ imageBytes: this.#image.bytes, budgetBytes, allocate });
  }

  /** See `PagedCache.swapOut`. */
  async swapOut(sequence: CacheSequence): Promise<SwappedSequence> {
    const caller = 'PagedCache.swapOut';
    this.#requireReady();
    requireOwn(this.#owner, sequence, caller);
    const outline = sequence.outline();
    const pages = sequence.pages.slice(0, outline.held.length).filter((page) => page !== noPage);
    this.#arena.require(pages.length, caller);
    const lanes = this.#openLanes();
    const slots = this.#arena.take(pages.length, caller);
    // From here on the pages are the swap's. What was only reserved is free at once.
    for (const page of pages) this.#owner.pool.retain(page);
    sequence.release();
    const leaving = new Set(pages);
    try {
      await this.#perform(() => {
        // From the end, as when a sequence is released: the beginning of a prefix stays findable longest.
        const pieces = this.#pieces(pages, slots, lanes).reverse();
        return this.#move(lanes, pieces, 'collect', (piece) => {
          for (const page of piece.pages.toReversed()) this.#letGo(page, leaving);
        });
      });
    } catch (error) {
      for (const page of leaving) this.#letGo(page, leaving);
      this.#arena.giveBack(slots);
      throw error;
    }
    const swapped = new SwappedSequence(this, {
      tokens: outline.length,
      bytes: slots.length * this.#arena.slotBytes,
    });
    this.#held.set(swapped, { outline, slots });
    this.#counts.swapsOut += 1;
    this.#counts.bytesOut += slots.length * this.#image.bytes;
    return swapped;
  }

  /** See `PagedCache.swapIn`. */
  async swapIn(swapped: SwappedSequence): Promise<CacheSequence> {
    const caller = 'PagedCache.swapIn';
    this.#requireReady();
    const { outline, slots } = this.#holdingOf(swapped, caller);
    const lanes = this.#openLanes();
    const sequence = this.#owner.remake(outline, caller);
    const pages = sequence.pages.filter((page) => page !== noPage);
    swapped.enter('returning');
    try {
      await this.#perform(() => this.#move(lanes, this.#pieces(pages, slots, lanes), 'spread'));
    } catch (error) {
      sequence.release();
      swapped.enter(this.#disposed ? 'gone' : 'held');
      throw error;
    }
    swapped.enter('gone');
    this.#held.delete(swapped);
    this.#arena.giveBack(slots);
    this.#counts.swapsIn += 1;
    this.#counts.bytesIn += slots.length * this.#image.bytes;
    return sequence;
  }

  /** Takes host memory for `bytes` bytes of pages from the system now, rather than when swaps need it. */
  reserve(bytes: number): void {
    requireCount('PagedCache.reserveHost', 'bytes', bytes);
    this.#requireReady();
    this.#openLanes();
    this.#arena.reserve(bytes);
  }

  statistics(): HostTierStatistics {
    return {
      ...this.#counts,
      inFlight: this.#inFlight,
      heldSequences: this.#held.size,
      heldBytes: this.#arena.heldBytes,
      reservedBytes: this.#arena.reservedBytes,
      budgetBytes: this.#budgetBytes,
    };
  }

  discard(swapped: SwappedSequence): void {
    const holding = this.#held.get(swapped);
    swapped.enter('gone');
    if (holding === undefined) return;
    this.#held.delete(swapped);
    this.#arena.giveBack(holding.slots);
  }

  /** Swapped sequences are gone, swaps under way fail. The pages may be given back at once. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    // Whoever gets the pages' memory next is an op: it must wait for the copies that still use it.
    if (this.#inFlight > 0) for (const { stream } of this.#lanes) stream.holdOps();
    this.#disposed = true;
    for (const lane of this.#lanes) lane[Symbol.dispose]();
    for (const swapped of this.#held.keys()) swapped.enter('gone');
    this.#held.clear();
    for (const wake of this.#waiting.splice(0)) wake();
    if (this.#inFlight === 0) this.#arena[Symbol.dispose]();
  }

  #requireReady(): void {
    if (this.#disposed) throw new DisposedError('paged cache', 'asked to swap');
    requireNoCapture(this.#owner.memory.device, 'swapping a sequence');
  }

  #holdingOf(swapped: SwappedSequence, caller: string): Holding {
    const holding = this.#held.get(swapped);
    if (holding !== undefined && swapped.state === 'held') return holding;
    throw invalidArgument({
      caller,
      argument: 'swapped',
      problem: 'is not in host memory',
      expected: 'a sequence that this cache swapped out and still holds',
      got: swapped.state === 'held' ? 'one of another cache' : `one that is ${swapped.state}`,
      fix: 'Swap each sequence in once, with the cache that swapped it out.',
    });
  }

  #openLanes(): readonly PageLane[] {
    if (this.#lanes.length > 0) return this.#lanes;
    const lanes: PageLane[] = [];
    try {
      while (lanes.length < laneCount)
        lanes.push(new PageLane(this.#owner.memory, this.#image, pagesAtOnce(this.#owner)));
    } catch (error) {
      for (const lane of lanes) lane[Symbol.dispose]();
      throw error;
    }
    this.#lanes = lanes;
    return lanes;
  }

  #letGo(page: number, leaving: Set<number>): void {
    leaving.delete(page);
    this.#owner.pool.release(page);
  }

  /** Writes the numbers of pages beside their slots, and cuts both into pieces. */
  #pieces(pages: readonly number[], slots: readonly number[], lanes: readonly PageLane[]): Piece[] {
    let first = 0;
    for (const { count, numbers } of this.#arena.runs(slots)) {
      new Int32Array(numbers.buffer, numbers.byteOffset, count).set(pages.slice(first, first + count));
      first += count;
    }
    const size = lanes[0]?.pagesAtOnce ?? 1;
    return Array.from({ length: Math.ceil(slots.length / size) }, (_, index) => ({
      pages: pages.slice(index * size, (index + 1) * size),
      slots: slots.slice(index * size, (index + 1) * size),
    }));
  }

  /** Runs a swap in its turn. */
  async #perform(swap: () => Promise<void>): Promise<void> {
    this.#inFlight += 1;
    try {
      if (this.#inFlight > swapsAtOnce) await new Promise<void>((wake) => this.#waiting.push(wake));
      this.#requireReady();
      await swap();
    } finally {
      this.#inFlight -= 1;
      this.#waiting.shift()?.();
      if (this.#disposed && this.#inFlight === 0) this.#arena[Symbol.dispose]();
    }
  }

  /** Sends pieces on their way, and tells of each, in order, when it has arrived. */
  async #move(
    lanes: readonly PageLane[],
    pieces: readonly Piece[],
    direction: 'collect' | 'spread',
    onArrival?: (piece: Piece) => void,
  ): Promise<void> {
    for (const { stream } of lanes) stream.followOps();
    const arrivals: Promise<void>[] = [];
    let told = 0;
    const tellNext = async () => {
      await arrivals[told];
      if (this.#disposed) throw new DisposedError('paged cache', 'disposed while a sequence was swapped');
      onArrival?.(pieces[told] as Piece);
      told += 1;
    };
    try {
      for (const [index, { slots }] of pieces.entries()) {
        if (index - told >= piecesAtOnce) await tellNext();
        const arrival = (lanes[index % lanes.length] as PageLane)[direction](this.#arena.runs(slots));
        arrival.catch(() => undefined); // it is awaited below, perhaps after it has failed
        arrivals.push(arrival);
      }
      while (told < pieces.length) await tellNext();
    } finally {
      // Until the last copy has run, neither side may be used for anything else.
      await Promise.allSettled(arrivals);
    }
  }
}

/** Pages of a piece. */
export function pagesAtOnce({ memory, stagingBytes }: PageOwner): number {
  const { bytes } = pageImage(memory.options, imageAlignment);
  return Math.max(1, Math.min(memory.options.pages, Math.floor(stagingBytes / bytes)));
}

/**
 * @throws {DisposedError} the sequence was released
 * @throws {InvalidArgumentError} it belongs to another cache
 */
export function requireOwn(owner: PageOwner, sequence: CacheSequence, caller: string): void {
  if (sequence.released) throw new DisposedError('sequence', `used by ${caller}`);
  if (owner.owns(sequence)) return;
  throw invalidArgument({
    caller,
    argument: 'sequence',
    problem: 'belongs to another cache',
    expected: 'a sequence of this cache',
    got: `one of ${sequence.length} tokens from elsewhere`,
    fix: 'Call the cache that allocated it.',
  });
}
