// The last latencies of one kind of step, in a ring of fixed size, and their percentiles. Pure.

import { InvalidArgumentError } from '@limen/tensor';

/** A ring of the last `capacity` latencies with the tokens each step made; memory use is constant. */
export class LatencyHistory {
  readonly capacity: number;
  readonly #milliseconds: Float64Array;
  readonly #tokens: Float64Array;
  #recorded = 0;

  /**
   * @param capacity - steps to remember
   * @throws {InvalidArgumentError} `capacity` is not a positive whole number
   */
  constructor(capacity = 1024) {
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new InvalidArgumentError(
        `LatencyHistory: capacity is out of range: expected a positive whole number of steps, got ${capacity}. Pass 1024.`,
        { capacity },
      );
    }
    this.capacity = capacity;
    this.#milliseconds = new Float64Array(capacity);
    this.#tokens = new Float64Array(capacity);
  }

  /** Steps remembered. */
  get size(): number {
    return Math.min(this.#recorded, this.capacity);
  }

  add(milliseconds: number, tokens: number): void {
    const place = this.#recorded % this.capacity;
    this.#milliseconds[place] = milliseconds;
    this.#tokens[place] = tokens;
    this.#recorded += 1;
  }

  /**
   * Latencies, in milliseconds, that the given shares of steps did not exceed (nearest rank); NaN while empty.
   * @param shares - each in (0, 1], e.g. 0.95
   */
  percentiles(...shares: number[]): number[] {
    const sorted = this.#milliseconds.slice(0, this.size).sort();
    return shares.map((share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN);
  }

  /** Longest latency, in milliseconds; NaN while empty. */
  get longest(): number {
    return this.size === 0 ? NaN : this.#milliseconds.subarray(0, this.size).reduce((a, b) => Math.max(a, b));
  }

  /** Tokens for each second spent in the remembered steps; 0 while they took no time. */
  get tokensPerSecond(): number {
    const sum = (values: Float64Array) => values.subarray(0, this.size).reduce((total, value) => total + value, 0);
    const milliseconds = sum(this.#milliseconds);
    return milliseconds === 0 ? 0 : (sum(this.#tokens) * 1000) / milliseconds;
  }
}
