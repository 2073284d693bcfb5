// Builds layers from single tensors. What remains for a subclass is where a tensor comes from.

import { quantizeInt8 } from '@limen/quant';
import { contiguous, copy, type DType, empty, Scope, type Tensor } from '@limen/tensor';

import { Convolution, type ConvolutionGeometry } from '../layers/convolution.js';
import { Int8Linear, Linear, type LinearLayer } from '../layers/linear.js';
import { GroupNorm, LayerNorm, RmsNorm } from '../layers/normalization.js';
import type { LinearRequest, Quantization, RowBlock, WeightLoader } from './weight-loader.js';
import type { StackPlace, WeightStack } from './weight-stack.js';

/** A {@link WeightLoader} over `tensor(name, shape)`. */
export abstract class LayerLoader implements WeightLoader {
  readonly measuresOnly: boolean = false;
  readonly device: string;
  readonly dtype: DType;
  readonly quantization: Quantization;
  readonly #made: Tensor[] = [];

  constructor(device: string, dtype: DType, quantization: Quantization) {
    this.device = device;
    this.dtype = dtype;
    this.quantization = quantization;
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
    { bias = false, quantizable = false, place }: LinearRequest = {},
  ): LinearLayer {
    const isQuantized = quantizable && this.quantization !== 'none';
    const parts = blocks.map(({ name, rows }) => this.tensor(`${name}.weight`, [rows, columns]));
    const weight = this.#stack(
      parts,
      isQuantized || place === undefined ? undefined : { ...place, stack: place.stack.weight },
    );
    const biases = bias ? this.#stack(blocks.map(({ name, rows }) => this.tensor(`${name}.bias`, [rows]))) : undefined;
    if (!isQuantized) return new Linear(weight, biases);
    using full = weight;
    const rows = full.extent(0);
    const out = place && {
      values: this.#place({ ...place, stack: place.stack.weight }, [rows, columns], 'i8'),
      scales: this.#place({ ...place, stack: place.stack.scales }, [rows], 'f32'),
    };
    const { values, scales } = quantizeInt8({ weight: full }, { out });
    return new Int8Linear(
      out === undefined ? this.adopt(values) : values,
      out === undefined ? this.adopt(scales) : scales,
      biases,
    );
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

  rmsNorm(name: string, channels: number, eps: number, place?: StackPlace<WeightStack>): RmsNorm {
    return new RmsNorm(this.#stack([this.tensor(`${name}.weight`, [channels])], place), eps);
  }

  layerNorm(name: string, channels: number, eps: number): LayerNorm {
    return new LayerNorm(this.tensor(`${name}.weight`, [channels]), this.tensor(`${name}.bias`, [channels]), eps);
  }

  groupNorm(name: string, channels: number): GroupNorm {
    return new GroupNorm(this.tensor(`${name}.weight`, [channels]), this.tensor(`${name}.bias`, [channels]));
  }

  /** One tensor from several, one behind the other along the first axis, in their place if they have one. */
  #stack(parts: readonly Tensor[], place?: StackPlace<WeightStack>): Tensor {
    const [first] = parts;
    if (first !== undefined && parts.length === 1 && place === undefined) return first;
    const rows = parts.reduce((sum, part) => sum + part.extent(0), 0);
    const shape = [rows, ...(first?.shape.slice(1) ?? [])];
    const stacked =
      place === undefined
        ? this.adopt(empty(shape, { dtype: this.dtype, device: this.device }))
        : this.#place(place, shape, this.dtype);
    let start = 0;
    for (const part of parts) {
      using owned = part;
      using target = stacked.slice(0, start, start + owned.extent(0));
      copy({ x: owned }, { out: target });
      start += owned.extent(0);
    }
    return stacked;
  }

  #place({ stack, layer }: StackPlace<WeightStack>, shape: readonly number[], dtype: DType): Tensor {
    const isFirst = stack.memory === undefined;
    const part = this.adopt(stack.place(layer, shape, dtype, this.device));
    if (isFirst && stack.memory !== undefined) this.adopt(stack.memory);
    return part;
  }
}
