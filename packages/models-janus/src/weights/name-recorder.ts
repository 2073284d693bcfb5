// Records which tensors a model asks for, so that a checkpoint can be checked against all of them at once.

import { type DType, empty, type Tensor, zeros } from '@limen/tensor';

import { Convolution } from '../layers/convolution.js';
import { Linear, type LinearLayer } from '../layers/linear.js';
import { LayerLoader } from './layer-loader.js';
import type { LinearRequest, RowBlock } from './weight-loader.js';

/** Builds layers without weights; `expected` then holds every name and shape. */
export class NameRecorder extends LayerLoader {
  override readonly measuresOnly = true;
  readonly expected = new Map<string, readonly number[]>();

  constructor(dtype: DType = 'f32') {
    super('cpu', dtype, 'none');
  }

  tensor(name: string, shape: readonly number[]): Tensor {
    this.expected.set(name, shape);
    return zeros([0]);
  }

  override linear(blocks: readonly RowBlock[], columns: number, { bias = false }: LinearRequest = {}): LinearLayer {
    for (const { name, rows } of blocks) {
      this.tensor(`${name}.weight`, [rows, columns]).dispose();
      if (bias) this.tensor(`${name}.bias`, [rows]).dispose();
    }
    return new Linear(empty([0, 0]));
  }

  override convolution(name: string, outputs: number, channels: number, kernel: number): Convolution {
    this.tensor(`${name}.weight`, [outputs, channels, kernel, kernel]).dispose();
    this.tensor(`${name}.bias`, [outputs]).dispose();
    return new Convolution(empty([0, 0, 0, 0]), undefined);
  }
}
