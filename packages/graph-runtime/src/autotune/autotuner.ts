// Measures on this machine what runs fastest, and remembers it for as long as the machine stays the same.

import { InvalidArgumentError, parseDevice, Tensor } from '@limen/tensor';

import { disposeTensors } from '../result-tensors.js';
import { compareOutputs } from '../verification.js';
import { type BucketSizeChoice, chooseBucketSizes } from './choose-bucket-sizes.js';
import { type Machine, machineOf } from './machine.js';
import { timeStep, type TimingOptions } from './time-step.js';
import { type TunedChoice, TuningFile } from './tuning-file.js';

/** Where to tune and where to keep what was found. */
export interface AutotunerOptions {
  readonly device: string;
  /** File of choices; default: none, so that they are made anew in each process. */
  readonly file?: string;
  readonly timing?: TimingOptions;
  /** What choices hold for; default: the device, its driver and the version of the kernels. */
  readonly machine?: Machine;
  /** Milliseconds of a step; default: measured on the device, captured where that is possible. */
  readonly time?: (step: () => unknown) => Promise<number>;
}

/** A program for one size, and how to end it. */
export interface SizedStep extends Disposable {
  step(): unknown;
}

/** A choice and where it came from. */
export interface Tuned<Choice> {
  readonly choice: Choice;
  /** `'file'`: found, nothing was measured; `'measured'`: just now. */
  readonly from: 'file' | 'measured';
  /** Milliseconds by candidate. */
  readonly milliseconds: Readonly<Record<string, number>>;
}

/**
 * Picks bucket sizes and variants of a computation by measuring them.
 *
 * @example
 * const tuner = new Autotuner({ device: 'cuda', file: 'tuning.json' });
 * const { choice } = await tuner.variant('head', { wide: () => linear({ x, weight }), split: () => inTwoHalves(x) });
 */
export class Autotuner {
  readonly machine: Machine;
  readonly #file: TuningFile;
  readonly #time: (step: () => unknown) => Promise<number>;

  /** @throws {UnknownDeviceError} the text names no device */
  constructor({ device, file, timing, machine, time }: AutotunerOptions) {
    const name = parseDevice(device);
    this.machine = machine ?? machineOf(name);
    this.#file = new TuningFile(file);
    this.#time = time ?? ((step) => timeStep(name, step, timing));
  }

  /** Why the file was not used as it was; undefined when it was. */
  get ignored(): string | undefined {
    return this.#file.ignored;
  }

  /**
   * The fastest of several ways to compute the same.
   *
   * @param key - names the choice in the file; mention what it depends on, such as sizes
   * @param variants - functions of the same result: a tensor or an object of tensors; they may run any number of times
   * @param options.tolerance - largest difference from the first variant, relative above magnitude 1; default 1e-2
   * @throws {InvalidArgumentError} there is no variant, or one computes something else
   */
  async variant<Name extends string>(
    key: string,
    variants: Readonly<Record<Name, () => Tensor | Readonly<Record<string, Tensor>>>>,
    { tolerance = 1e-2 }: { readonly tolerance?: number } = {},
  ): Promise<Tuned<Name>> {
    const names = Object.keys(variants) as Name[];
    const found = this.#file.find(key, this.machine);
    const known = names.find((name) => name === found?.choice);
    if (found !== undefined && known !== undefined) {
      return { choice: known, from: 'file', milliseconds: found.milliseconds };
    }
    const [first] = names;
    if (first === undefined) {
      throw new InvalidArgumentError(
        `Autotuner.variant: variants is empty: expected at least one for ${key}, got none. Name the ways to compute it.`,
      );
    }
    const milliseconds: Record<string, number> = {};
    for (const name of names) {
      await requireSame(key, name, variants[name], first, variants[first], tolerance);
      milliseconds[name] = await this.#time(variants[name]);
    }
    const choice = names.reduce((best, name) => ((milliseconds[name] ?? 0) < (milliseconds[best] ?? 0) ? name : best));
    this.#store(key, choice, milliseconds);
    return { choice, from: 'measured', milliseconds };
  }

  /**
   * The sizes that deserve a graph: each candidate is measured, then as few are kept as serve requests nearly as fast as
   * all of them would.
   *
   * @param key - names the choice in the file
   * @param candidates - sizes to measure; the largest is always kept
   * @param build - makes what runs a size; it is disposed after its measurement
   */
  async buckets(
    key: string,
    candidates: Iterable<number>,
    build: (size: number) => SizedStep,
    options: Omit<BucketSizeChoice, 'costs'> = {},
  ): Promise<Tuned<readonly number[]>> {
    const sizes = [...candidates];
    const found = this.#file.find(key, this.machine);
    if (found !== undefined && typeof found.choice !== 'string' && found.choice.every((size) => sizes.includes(size))) {
      return { choice: found.choice, from: 'file', milliseconds: found.milliseconds };
    }
    const costs = new Map<number, number>();
    for (const size of sizes) {
      using program = build(size);
      costs.set(size, await this.#time(() => program.step()));
    }
    const { sizes: choice } = chooseBucketSizes({ ...options, costs });
    const milliseconds = Object.fromEntries(costs);
    this.#store(key, choice, milliseconds);
    return { choice, from: 'measured', milliseconds };
  }

  #store(key: string, choice: TunedChoice['choice'], milliseconds: Readonly<Record<string, number>>): void {
    this.#file.store({ key, choice, machine: this.machine, milliseconds, at: new Date().toISOString() });
  }
}

type Computation = () => Tensor | Readonly<Record<string, Tensor>>;

async function requireSame(
  key: string,
  name: string,
  variant: Computation,
  firstName: string,
  first: Computation,
  tolerance: number,
): Promise<void> {
  if (variant === first) return;
  const [got, expected] = [variant(), first()];
  const comparison = compareOutputs(named(got), named(expected), tolerance);
  disposeTensors([got, expected]);
  const difference = await comparison;
  if (difference === undefined) return;
  throw new InvalidArgumentError(
    `Autotuner.variant: variant ${name} of ${key} computes something else: expected what ${firstName} computes within ` +
      `${tolerance}, got: ${difference}. Repair it, or raise the tolerance if that much is right.`,
    { key, variant: name },
  );
}

function named(result: Tensor | Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> {
  return result instanceof Tensor ? { result } : result;
}
