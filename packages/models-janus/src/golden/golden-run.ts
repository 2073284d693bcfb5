// What the checks of one golden folder share: the model, the recorded data, and where verdicts go.

import { fromArray, read, record, type Tensor } from '@limen/tensor';

import type { StepRunnerFactory } from '../generation/step-runner.js';
import type { LoadedJanus } from '../janus-pro/load-janus.js';
import type { GoldenFolder } from './golden-folder.js';
import { compareHidden, type Tolerance, type Verdict } from './verdict.js';

/** One run over a folder. */
export interface GoldenRun extends LoadedJanus {
  readonly golden: GoldenFolder;
  readonly tolerance: Tolerance;
  readonly report: (verdict: Verdict) => void;
}

/** Copies of intermediate values that a forward pass shows, by name. */
export class Sightings {
  readonly #values = new Map<string, Promise<ArrayLike<number>>>();

  /** Give this to a forward pass. */
  readonly observe = (name: string, value: Tensor): void => {
    this.#values.set(name, read(value));
  };

  async get(name: string): Promise<ArrayLike<number>> {
    return (await this.#values.get(name)) ?? [];
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }

  /** Compares everything seen with the recordings under a prefix. */
  async compare(
    { golden, tolerance, report }: GoldenRun,
    prefix: string,
    arrange = (values: ArrayLike<number>) => values,
  ): Promise<void> {
    for (const name of this.names) {
      const full = `${prefix}.${name}`;
      if (golden.has(full))
        report(compareHidden(full, arrange(await this.get(name)), golden.tensor(full).values, tolerance));
    }
  }
}

/** `[.., C, H, W]` values as `[.., H, W, C]`. */
export function channelsLast(values: ArrayLike<number>, images: number, channels: number): Float32Array {
  const area = values.length / (images * channels);
  return Float32Array.from({ length: values.length }, (_, index) => {
    const image = Math.floor(index / (area * channels));
    const pixel = Math.floor(index / channels) % area;
    return values[(image * channels + (index % channels)) * area + pixel] ?? 0;
  });
}

/** `[H, W, C]` values as `[C, H, W]`. */
export function channelsFirst(values: ArrayLike<number>, channels: number): Float32Array {
  const area = values.length / channels;
  return Float32Array.from(
    { length: values.length },
    (_, index) => values[(index % area) * channels + Math.floor(index / area)] ?? 0,
  );
}

/** The recorded pixels of some images, channels last, on the model's device. */
export function goldenPixels({ golden, network }: GoldenRun, images: readonly number[]): Tensor {
  const { shape, values } = golden.tensor('pp.pixel_values');
  const [, channels = 3, side = 1] = shape;
  const size = channels * side * side;
  const all = channelsLast(values, shape[0] ?? 1, channels);
  const chosen = images.flatMap((image) => [...all.subarray(image * size, (image + 1) * size)]);
  return fromArray(chosen, [images.length, side, side, channels], { dtype: network.dtype, device: network.device });
}

/** A runner that records the step after its first eager run and replays it from then on. */
export const runCaptured: StepRunnerFactory = (device, step) => {
  let recording: ReturnType<typeof record> | undefined;
  let runs = 0;
  return {
    run() {
      if (runs++ === 0) {
        step();
        return;
      }
      recording ??= record(device, step);
      recording.replay();
    },
    [Symbol.dispose]: () => recording?.[Symbol.dispose](),
  };
};
