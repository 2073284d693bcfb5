// Builds layers from single tensors. What remains for a subclass is where a tensor comes from.

import { quantizeInt8 } from '@limen/quant';
import { contiguous, copy, type DType, empty, Scope, type Tensor } from '@limen/tensor';

import { Convolution, type ConvolutionGeometry } from '../layers/convolution.js';
import { Int8Linear, Linear, type LinearLayer } from '../layers/linear.js';
import { GroupNorm, LayerNorm, RmsNorm } from '../layers/normalization.js';
import type { LinearRequest, RowBlock, WeightLoader } from './weight-loader.js';

/** How the decoder's projections are stored. */
export type Quantization = 'none' | 'int8';

/** A {@link WeightLoader} over `tensor(name, shape)`. */
export abstract class LayerLoader implements WeightLoader {
  readonly measuresOnly: boolean = false;
  readonly device: string;
  readonly dtype: DType;
  readonly #quantization: Quantization;
  readonly #made: Tensor[] = [];

  constructor(device: string, dtype: DType, quantization: Quantization) {
    this.device = device;
    this.dtype = dtype;
    this.#quantization = quantization;
  }

  abstract tensor(name: string, shape: readonly number[]): Tensor;

  adopt(tensor: Tensor): Tensor {
    this.#made.push(tensor);
    return tensor;
  }

  /** Frees every tensor that was made: for a network that could not be finished, whose layers nobody holds. */
  abandon(): void {
    for (const tensor of this.#made.splice(0)) tensor.dispose();
  }

  linear(
    blocks: readonly RowBlock[],
    columns: number,
    { bias = false, quantizable = false }: LinearRequest = {},
  ): LinearLayer {
    const weight = this.#stack(blocks.map(({ name, rows }) => this.tensor(`${name}.weight`, [rows, columns])));
    const biases = bias ? this.#stack(blocks.map(({ name, rows }) => this.tensor(`${name}.bias`, [rows]))) : undefined;
    if (!quantizable || this.#quantization === 'none') return new Linear(weight, biases);
    using full = weight;
    const { values, scales } = quantizeInt8({ weight: full });
    return new Int8Linear(this.adopt(values), this.adopt(scales), biases);
  }

  convolution(
    name: string,
    outputs: number,
    channels: number,
    kernel: number,
    geometry: ConvolutionGeometry = {},
  ): Convolution {
    using scope = new Scope();
    const stored = scope.own(this.tensor(`${name}.weight`, [outputs, channels, kernel, kernel]));
    const swapped = scope.own(stored.transpose(1, 2));
    const channelsLast = scope.own(swapped.transpose(2, 3));
    const weight = this.adopt(contiguous(channelsLast));
    return new Convolution(weight, this.tensor(`${name}.bias`, [outputs]), geometry);
  }

  rmsNorm(name: string, channels: number, eps: number): RmsNorm {
    return new RmsNorm(this.tensor(`${name}.weight`, [channels]), eps);
  }

  layerNorm(name: string, channels: number, eps: number): LayerNorm {
    return new LayerNorm(this.tensor(`${name}.weight`, [channels]), this.tensor(`${name}.bias`, [channels]), eps);
  }

  groupNorm(name: string, channels: number): GroupNorm {
    return new GroupNorm(this.tensor(`${name}.weight`, [channels]), this.tensor(`${name}.bias`, [channels]));
  }

  /** One tensor from several, stacked along the first axis. */
  #stack(parts: readonly Tensor[]): Tensor {
    const [first] = parts;
    if (first !== undefined && parts.length === 1) return first;
    const rows = parts.reduce((sum, part) => sum + part.extent(0), 0);
    const shape = [rows, ...(first?.shape.slice(1) ?? [])];
    const stacked = this.adopt(empty(shape, { dtype: this.dtype, device: this.device }));
    let start = 0;
    for (const part of parts) {
      using owned = part;
      using target = stacked.slice(0, start, start + owned.extent(0));
      copy({ x: owned }, { out: target });
      start += owned.extent(0);
    }
    return stacked;
  }
}
