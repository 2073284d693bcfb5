// Host memory for page images: taken from the system in large blocks, never more than a budget, kept and reused.

import type { HostBuffer } from '@limen/tensor';

import { HostBudgetError } from '../errors/host-budget-error.js';

/** What an arena is made of. */
export interface HostArenaOptions {
  /** Bytes of one page image. */
  readonly imageBytes: number;
  /** Most bytes that images and their page numbers may take. */
  readonly budgetBytes: number;
  /** Takes memory from the system; page-locked where the device is a GPU. */
  readonly allocate: (bytes: number) => HostBuffer;
}

/** Neighbouring slots: their images, and the page numbers that belong to them. */
export interface HostRun {
  readonly count: number;
  /** `count` images. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** `count` page numbers, i32. */
  readonly numbers: Uint8Array<ArrayBuffer>;
}

/** Memory of neighbouring slots. */
interface Block {
  readonly first: number;
  readonly count: number;
  readonly images: HostBuffer;
  readonly numbers: HostBuffer;
}

/** Bytes of a page number. */
const numberBytes = 4;
/** The system is asked for at least this much, so that it is asked rarely, and for at most that much at once. */
const smallestBlock = 64 * 2 ** 20;
const largestBlock = 2 ** 30;

/**
 * Slots `0 … capacity − 1`, each with room for a page image and a page number. Slots are handed out in runs of
 * neighbours where possible, so that one copy moves several pages.
 */
export class HostArena implements Disposable {
  /** Slots that the budget pays for. */
  readonly capacity: number;
  readonly #imageBytes: number;
  readonly #budgetBytes: number;
  readonly #allocate: (bytes: number) => HostBuffer;
  readonly #blocks: Block[] = [];
  /** 1 for a slot that somebody holds; as long as there are slots with memory. */
  #taken = new Uint8Array(0);
  #held = 0;
  /** Where the search for free slots goes on. */
  #next = 0;

  constructor({ imageBytes, budgetBytes, allocate }: HostArenaOptions) {
    this.#imageBytes = imageBytes;
    this.#budgetBytes = budgetBytes;
    this.#allocate = allocate;
    this.capacity = Math.floor(budgetBytes / this.slotBytes);
  }

  /** Bytes that one slot takes. */
  get slotBytes(): number {
    return this.#imageBytes + numberBytes;
  }

  /** Bytes that handed-out slots take. */
  get heldBytes(): number {
    return this.#held * this.slotBytes;
  }

  /** Bytes taken from the system. */
  get reservedBytes(): number {
    return this.#taken.length * this.slotBytes;
  }

  /**
   * Checks that `count` slots can be taken, so that a caller can fail before it changes anything.
   * @throws {HostBudgetError} the budget leaves fewer
   */
  require(count: number, caller: string): void {
    const left = this.capacity - this.#held;
    if (count <= left) return;
    const [need, have] = [count * this.slotBytes, left * this.slotBytes];
    throw new HostBudgetError(caller, { need, have, budget: this.#budgetBytes });
  }

  /**
   * Takes slots, in rising order.
   * @throws {HostBudgetError} the budget leaves fewer; nothing has changed
   * @throws what taking memory throws; nothing has changed but the memory taken so far
   */
  take(count: number, caller: string): number[] {
    this.require(count, caller);
    this.#grow(this.#held + count);
    const slots: number[] = [];
    const total = this.#taken.length;
    // On from where the last search ended: there neighbours are most likely free.
    for (let step = 0; step < total && slots.length < count; step += 1) {
      const slot = (this.#next + step) % total;
      if (this.#taken[slot] === 0) slots.push(slot);
    }
    for (const slot of slots) this.#taken[slot] = 1;
    this.#held += count;
    this.#next = ((slots.at(-1) ?? this.#next - 1) + 1) % Math.max(1, total);
    return slots.sort((a, b) => a - b);
  }

  /** Returns slots. */
  giveBack(slots: readonly number[]): void {
    if (this.#taken.length === 0) return; // disposed meanwhile
    for (const slot of slots) this.#taken[slot] = 0;
    this.#held -= slots.length;
  }

  /**
   * Takes memory from the system ahead, so that swaps need not.
   * @param bytes - of images; at most the budget counts
   */
  reserve(bytes: number): void {
    this.#grow(Math.min(this.capacity, Math.ceil(bytes / this.slotBytes)));
  }

  /** The memory of slots, neighbours joined. */
  runs(slots: readonly number[]): HostRun[] {
    const runs: HostRun[] = [];
    for (let index = 0; index < slots.length;) {
      const slot = slots[index] ?? 0;
      const block = this.#blockOf(slot);
      const most = Math.min(slots.length - index, block.first + block.count - slot);
      let count = 1;
      while (count < most && slots[index + count] === slot + count) count += 1;
      const from = slot - block.first;
      runs.push({
        count,
        images: block.images.bytes.subarray(from * this.#imageBytes, (from + count) * this.#imageBytes),
        numbers: block.numbers.bytes.subarray(from * numberBytes, (from + count) * numberBytes),
      });
      index += count;
    }
    return runs;
  }

  /** Gives everything back to the system. Copies from and to it must have run. */
  [Symbol.dispose](): void {
    for (const { images, numbers } of this.#blocks.splice(0)) {
      images[Symbol.dispose]();
      numbers[Symbol.dispose]();
    }
    this.#taken = new Uint8Array(0);
  }

  #grow(slots: number): void {
    while (this.#taken.length < slots) {
      const first = this.#taken.length;
      const least = Math.ceil(smallestBlock / this.slotBytes);
      const most = Math.max(1, Math.floor(largestBlock / this.slotBytes));
      const count = Math.min(Math.max(slots - first, least), most, this.capacity - first);
      const images = this.#allocate(count * this.#imageBytes);
      try {
        this.#blocks.push({ first, count, images, numbers: this.#allocate(count * numberBytes) });
      } catch (error) {
        images[Symbol.dispose]();
        throw error;
      }
      const taken = new Uint8Array(first + count);
      taken.set(this.#taken);
      this.#taken = taken;
    }
  }

  #blockOf(slot: number): Block {
    // Blocks are few and large, and their first slots rise.
    return this.#blocks.findLast(({ first }) => first <= slot) as Block;
  }
}
