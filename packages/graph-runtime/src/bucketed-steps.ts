// One captured step per bucket of sizes: a request of any size runs in the smallest bucket that holds it.

import { findBucket } from './bucket-sizes.js';
import { CapturedStep, type CapturedStepStatistics } from './captured-step.js';

/** What a bucket is made of: memory at fixed addresses and the step over it. */
export interface BucketProgram extends Disposable {
  step(): void;
}

/** Buckets and how to fill them. */
export interface BucketedStepsOptions<Program extends BucketProgram> {
  readonly device: string;
  /** Sizes with a graph of their own, ascending. */
  readonly buckets: readonly number[];
  /** Makes the memory of a bucket, on first use. */
  readonly build: (bucket: number) => Program;
}

/** Statistics of one bucket. */
export interface BucketStatistics extends CapturedStepStatistics {
  readonly bucket: number;
  /** Why the bucket runs eagerly for good; undefined when it is captured. */
  readonly fallback: string | undefined;
}

interface Entry<Program> {
  readonly program: Program;
  readonly step: CapturedStep;
  readonly fallback: string | undefined;
}

/** Captures lazily, one graph per bucket in use. */
export class BucketedSteps<Program extends BucketProgram> implements Disposable {
  readonly #options: BucketedStepsOptions<Program>;
  readonly #open = new Map<number, Entry<Program>>();

  constructor(options: BucketedStepsOptions<Program>) {
    this.#options = options;
  }

  /**
   * The program that runs requests of `size`: fill its inputs, pad the rest, then `run(size)`. A size beyond the largest
   * bucket gets a program of exactly that size, which runs eagerly.
   */
  programFor(size: number): Program {
    return this.#entry(size).program;
  }

  /** Runs the bucket of `size` once. */
  run(size: number): void {
    this.#entry(size).step.run();
  }

  get statistics(): BucketStatistics[] {
    return [...this.#open].map(([bucket, { step, fallback }]) => ({ bucket, fallback, ...step.statistics }));
  }

  #entry(size: number): Entry<Program> {
    const fitting = findBucket(this.#options.buckets, size);
    const bucket = fitting ?? size;
    let entry = this.#open.get(bucket);
    if (entry === undefined) {
      const program = this.#options.build(bucket);
      const eagerFirst = fitting === undefined ? Infinity : 1;
      const step = new CapturedStep(this.#options.device, () => program.step(), {
        name: `bucket ${bucket}`,
        eagerFirst,
      });
      const fallback = fitting === undefined ? `no bucket holds size ${size}` : undefined;
      entry = { program, step, fallback };
      this.#open.set(bucket, entry);
    }
    return entry;
  }

  [Symbol.dispose](): void {
    for (const { program, step } of this.#open.values()) {
      step[Symbol.dispose]();
      program[Symbol.dispose]();
    }
    this.#open.clear();
  }
}
