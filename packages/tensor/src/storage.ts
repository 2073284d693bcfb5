// Reference-counted bytes on one device. Tensors are views over a storage; the last one to go frees it.

import { DisposedError } from '@limen/cuda-kernels';

import type { DeviceName } from './device.js';

/** Bytes that a backend handed out, and the way to give them back. */
export interface Allocation {
  /** Host bytes; undefined for device memory. */
  readonly bytes?: Uint8Array;
  /** Device address; 0 for host memory, whose address is asked for only when native code needs it. */
  readonly address: number;
  readonly byteLength: number;
  release(): void;
}

let trackCreation = process.env['LIMEN_LEAKS'] === '1';
const alive = new Set<Storage>();

/** Reference-counted memory. Created with one reference, which belongs to its creator. */
export class Storage {
  readonly device: DeviceName;
  readonly byteLength: number;
  readonly #allocation: Allocation;
  readonly #createdAt: string | undefined;
  #references = 1;

  constructor(device: DeviceName, allocation: Allocation) {
    this.device = device;
    this.byteLength = allocation.byteLength;
    this.#allocation = allocation;
    if (trackCreation) this.#createdAt = new Error('created').stack?.split('\n').slice(3, 8).join('\n');
    alive.add(this);
  }

  get disposed(): boolean {
    return this.#references === 0;
  }

  /** Device address of the first byte; 0 on the CPU. */
  get address(): number {
    this.#assertAlive();
    return this.#allocation.address;
  }

  /** Host bytes. Only for CPU storage. */
  get bytes(): Uint8Array {
    this.#assertAlive();
    const { bytes } = this.#allocation;
    if (bytes === undefined) throw new DisposedError(`host memory of a ${this.device} storage`, 'asked for');
    return bytes;
  }

  get createdAt(): string | undefined {
    return this.#createdAt;
  }

  retain(): this {
    this.#assertAlive();
    this.#references++;
    return this;
  }

  release(): void {
    if (this.#references === 0) return;
    this.#references--;
    if (this.#references > 0) return;
    alive.delete(this);
    this.#allocation.release();
  }

  #assertAlive(): void {
    if (this.#references === 0) throw new DisposedError(`storage of ${this.byteLength} bytes on ${this.device}`);
  }
}

/** A storage that nobody has released yet. */
export interface LeakReportEntry {
  readonly device: DeviceName;
  readonly byteLength: number;
  /** Where it was created; only with `LIMEN_LEAKS=1` or after `trackLeaks(true)`. */
  readonly createdAt: string | undefined;
}

/** Every storage that is alive now. Take one before and one after, and compare. */
export function leakReport(): LeakReportEntry[] {
  return Array.from(alive, ({ device, byteLength, createdAt }) => ({ device, byteLength, createdAt }));
}

/** Turns the recording of creation sites on or off; it costs a stack trace per tensor. */
export function trackLeaks(enabled: boolean): void {
  trackCreation = enabled;
}
