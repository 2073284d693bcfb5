// How the next token is drawn, and the tensors that say so on the device.

import { fromArray, InvalidArgumentError, type Tensor } from '@limen/tensor';

/** Options of one sequence. */
export interface SamplingOptions {
  /** 0 takes the most likely token every time; default 0 for text, 1 for images. */
  readonly temperature?: number;
  /** Only the `topK` most likely tokens; 0 (default) is all of them. */
  readonly topK?: number;
  /** Only the most likely tokens that together reach this probability, in (0, 1]; default 1. */
  readonly topP?: number;
  /** Non-negative integer; equal seeds give equal draws. Default: a random one. */
  readonly seed?: number;
}

/** A complete set of options. */
export type ResolvedSampling = Required<SamplingOptions>;

/**
 * Fills in defaults.
 *
 * @throws {InvalidArgumentError} an option outside its range
 */
export function resolveSampling(options: SamplingOptions, defaultTemperature: number): ResolvedSampling {
  const { temperature = defaultTemperature, topK = 0, topP = 1, seed = Math.floor(Math.random() * 2 ** 31) } = options;
  const require = (condition: boolean, name: string, expected: string, got: number, fix: string) => {
    if (condition) return;
    throw new InvalidArgumentError(`sampling: ${name} is not allowed: expected ${expected}, got ${got}. ${fix}`, {
      option: name,
    });
  };
  const warm = 'Pass 0 for the most likely token every time, about 1 for variety.';
  require(temperature >= 0 && temperature <= 100, 'temperature', '0 to 100', temperature, warm);
  require(Number.isInteger(topK) && topK >= 0, 'topK', 'a non-negative integer', topK, 'Pass 0 for all tokens.');
  require(topP > 0 && topP <= 1, 'topP', 'above 0, at most 1', topP, 'Pass 1 for all tokens.');
  const draws = 'Leave it out for a random one.';
  require(Number.isSafeInteger(seed) && seed >= 0, 'seed', 'a non-negative integer', seed, draws);
  return { temperature, topK, topP, seed };
}

/** The device-side form of the options of a batch. */
export interface SamplingTensors extends Disposable {
  /** `[B, 4]` f32: temperature, topK, topP, unused. */
  readonly parameters: Tensor;
  /** `[B, 2]` i32: low and high half of the seed. */
  readonly seeds: Tensor;
}

/** Puts the options of a batch on a device. */
export function samplingTensors(rows: readonly ResolvedSampling[], device: string): SamplingTensors {
  const parameters = fromArray(
    rows.flatMap(({ temperature, topK, topP }) => [temperature, topK, topP, 0]),
    [rows.length, 4],
    { device },
  );
  const seeds = fromArray(
    rows.flatMap(({ seed }) => [seed | 0, Math.floor(seed / 2 ** 32) | 0]),
    [rows.length, 2],
    { dtype: 'i32', device },
  );
  return {
    parameters,
    seeds,
    [Symbol.dispose]() {
      parameters.dispose();
      seeds.dispose();
    },
  };
}
