// Weights from a checkpoint: mapped, converted to the wanted type, and put on the device one tensor at a time.

import {
  bytesOf,
  cast,
  type DType,
  fromArray,
  fromBytes,
  InvalidArgumentError,
  rawValues,
  type Tensor,
  type TensorSource,
  wrapBytes,
} from '@limen/tensor';

import { LayerLoader } from './layer-loader.js';
import type { Quantization } from './weight-loader.js';

/** Called after each tensor, with bytes of the checkpoint. */
export type LoadListener = (name: string, loadedBytes: number) => void;

/** A loader over a {@link TensorSource} in transformers names. */
export class CheckpointLoader extends LayerLoader {
  readonly #source: TensorSource;
  readonly #listener: LoadListener | undefined;
  #loadedBytes = 0;

  constructor(source: TensorSource, device: string, dtype: DType, quantization: Quantization, listener?: LoadListener) {
    super(device, dtype, quantization);
    this.#source = source;
    this.#listener = listener;
  }

  tensor(name: string, shape: readonly number[]): Tensor {
    const { dtype } = this.#source.info(name);
    const bytes = this.#source.bytes(name);
    this.#loadedBytes += bytes.byteLength;
    const tensor = this.adopt(this.#place(name, bytes, shape, dtype as DType));
    this.#listener?.(name, this.#loadedBytes);
    return tensor;
  }

  #place(name: string, bytes: Uint8Array, shape: readonly number[], stored: DType): Tensor {
    const { device, dtype } = this;
    if (!['f32', 'f16', 'bf16'].includes(stored)) {
      throw new InvalidArgumentError(
        `weights: ${name} is stored as ${stored}: expected f32, f16 or bf16. Convert the checkpoint, or take one in another format.`,
        { name, stored },
      );
    }
    if (stored === dtype) {
      // On a CPU the file's own pages serve as the tensor, where their alignment allows it.
      const aligned = bytes.byteOffset % bytesOf(stored) === 0;
      return device === 'cpu' && aligned ? wrapBytes(bytes, shape, stored) : fromBytes(bytes, shape, { dtype, device });
    }
    if (device === 'cpu') return fromArray(rawValues(bytes, stored), shape, { dtype, device });
    using raw = fromBytes(bytes, shape, { dtype: stored, device });
    return cast({ x: raw }, { dtype: dtype as 'f32' | 'f16' | 'bf16' });
  }
}
