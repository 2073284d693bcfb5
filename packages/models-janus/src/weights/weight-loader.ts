// Where layers get their weights from. Three implementations: a checkpoint, random numbers, and a recorder of names.

import type { DType, Tensor } from '@limen/tensor';

import type { Convolution, ConvolutionGeometry } from '../layers/convolution.js';
import type { LinearLayer } from '../layers/linear.js';
import type { GroupNorm, LayerNorm, RmsNorm } from '../layers/normalization.js';
import type { ProjectionStack, StackPlace, WeightStack } from './weight-stack.js';

/** How the decoder's projections are stored. */
export type Quantization = 'none' | 'int8';

/** One block of rows of a projection: its name without `.weight`, and its rows. */
export interface RowBlock {
  readonly name: string;
  readonly rows: number;
}

/** What a projection needs besides its size. */
export interface LinearRequest {
  readonly bias?: boolean;
  /** Part of the decoder's blocks: quantized when the loader was asked to. */
  readonly quantizable?: boolean;
  /** Where the weights are to stand; default: wherever there is room. */
  readonly place?: StackPlace<ProjectionStack> | undefined;
}

/** Makes layers by the names of the transformers checkpoint format. */
export interface WeightLoader {
  /** There are no values, only names and shapes: nothing may be computed from them. */
  readonly measuresOnly: boolean;
  readonly device: string;
  readonly dtype: DType;
  /** How what may be quantized is stored. */
  readonly quantization: Quantization;
  /** A tensor as stored, in the loader's type, on its device. The caller owns it. */
  tensor(name: string, shape: readonly number[]): Tensor;
  /** Takes note of a tensor that a layer worked out from its weights, so that it is freed if loading fails later on. */
  adopt(tensor: Tensor): Tensor;
  /** A projection from `columns` inputs; several blocks are stacked into one, top to bottom. */
  linear(blocks: readonly RowBlock[], columns: number, request?: LinearRequest): LinearLayer;
  /** A convolution `[O, C, K, K]` as stored, turned channels-last; `name` without `.weight`. */
  convolution(
    name: string,
    outputs: number,
    channels: number,
    kernel: number,
    geometry?: ConvolutionGeometry,
  ): Convolution;
  rmsNorm(name: string, channels: number, eps: number, place?: StackPlace<WeightStack>): RmsNorm;
  layerNorm(name: string, channels: number, eps: number): LayerNorm;
  groupNorm(name: string, channels: number): GroupNorm;
}
