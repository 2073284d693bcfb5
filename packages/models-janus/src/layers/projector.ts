// The multilayer perceptron between two towers: Linear, then gelu and Linear as often as the depth says.

import { type Tensor } from '@limen/tensor';

import type { WeightLoader } from '../weights/weight-loader.js';
import type { LinearLayer } from './linear.js';

/** Maps features of one tower into the space of another. */
export class Projector implements Disposable {
  readonly #layers: readonly LinearLayer[];

  /** @param prefix - e.g. `model.aligner`; reads `fc1` and `hidden_layers.i` under it */
  constructor(loader: WeightLoader, prefix: string, inputSize: number, outputSize: number, depth: number) {
    const names = [
      `${prefix}.fc1`,
      ...Array.from({ length: depth - 1 }, (_, index) => `${prefix}.hidden_layers.${index}`),
    ];
    this.#layers = names.map((name, index) =>
      loader.linear([{ name, rows: outputSize }], index === 0 ? inputSize : outputSize, { bias: true }),
    );
  }

  /** `[..., inputSize]` → `[..., outputSize]` */
  forward(x: Tensor): Tensor {
    let value = x.clone();
    for (const [index, layer] of this.#layers.entries()) {
      using input = value;
      const last = index === this.#layers.length - 1;
      value = layer.forward(input, { activation: last ? 'none' : 'gelu' });
    }
    return value;
  }

  [Symbol.dispose](): void {
    for (const layer of this.#layers) layer[Symbol.dispose]();
  }
}
