// Random weights of the right shapes, drawn on the device: speed can be measured without a checkpoint.

import { affine, type DType, empty, fillNormal, type Tensor, zeros } from '@limen/tensor';

import { LayerLoader } from './layer-loader.js';
import type { Quantization } from './weight-loader.js';

/** Draws every tensor from its name; norms are near one, projections keep the size of their inputs. */
export class RandomLoader extends LayerLoader {
  #seed = 1;

  constructor(device: string, dtype: DType, quantization: Quantization = 'none') {
    super(device, dtype, quantization);
  }

  tensor(name: string, shape: readonly number[]): Tensor {
    const isNorm = /norm/.test(name.split('.').at(-2) ?? '');
    if (name.endsWith('.bias')) return zeros(shape, { dtype: this.dtype, device: this.device });
    const tensor = empty(shape, { dtype: this.dtype, device: this.device });
    if (isNorm) {
      const blank = zeros(shape, { dtype: this.dtype, device: this.device });
      tensor.dispose();
      return affine({ x: blank }, { offset: 1, out: blank });
    }
    const fanIn = shape.slice(1).reduce((product, extent) => product * extent, 1);
    fillNormal({ x: tensor }, { deviation: 1 / Math.sqrt(Math.max(1, fanIn)), seed: this.#seed++ });
    return tensor;
  }
}
