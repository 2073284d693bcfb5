// A weight matrix as it is stored after quantisation: codes, scales and the scheme that gives them meaning.

import { describeTensor, type DeviceName, DeviceMismatchError, ShapeMismatchError, type Tensor } from '@limen/tensor';

import { type QuantizationScheme, storedShapes } from './scheme.js';

/** What a QuantizedTensor is made of. */
export interface QuantizedParts {
  readonly scheme: QuantizationScheme;
  /** Of the matrix, not of its codes: `[N, K]`. */
  readonly shape: readonly [rows: number, columns: number];
  /** Codes, in the shape and type that the scheme prescribes. */
  readonly values: Tensor;
  /** One for each group, in the shape and type that the scheme prescribes. */
  readonly scales: Tensor;
}

/**
 * A quantised matrix `[N, K]`. It owns its tensors: end it with `using`, or call `dispose()`.
 *
 * @throws {ShapeMismatchError} `values` or `scales` is not what the scheme prescribes for the shape
 * @throws {DeviceMismatchError} they live on different devices
 */
export class QuantizedTensor implements Disposable {
  readonly scheme: QuantizationScheme;
  readonly shape: readonly [rows: number, columns: number];
  readonly values: Tensor;
  readonly scales: Tensor;

  /** Takes over `values` and `scales`; when it throws, they remain the caller's. */
  constructor({ scheme, shape, values, scales }: QuantizedParts) {
    const stored = storedShapes(scheme, shape);
    requirePart('values', values, scheme, scheme.storage, stored.values);
    requirePart('scales', scales, scheme, scheme.scaleDType, stored.scales);
    if (values.device !== scales.device) {
      throw new DeviceMismatchError(
        `QuantizedTensor: scales has the wrong device: expected ${values.device}, where values is, got ${scales.device}. ` +
          'Move one of them with toDevice().',
      );
    }
    this.scheme = scheme;
    this.shape = shape;
    this.values = values;
    this.scales = scales;
  }

  get device(): DeviceName {
    return this.values.device;
  }

  /** Bytes of codes and scales together. */
  get byteLength(): number {
    return this.values.byteLength + this.scales.byteLength;
  }

  /** Bits for each weight, scales included. */
  get bitsPerWeight(): number {
    return (this.byteLength * 8) / (this.shape[0] * this.shape[1]);
  }

  get disposed(): boolean {
    return this.values.disposed;
  }

  dispose(): void {
    this.values.dispose();
    this.scales.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `QuantizedTensor(${this.scheme.name}[${this.shape.join(', ')}] ${this.device}${this.disposed ? ', disposed' : ''})`;
  }
}

function requirePart(
  argument: string,
  part: Tensor,
  scheme: QuantizationScheme,
  dtype: Tensor['dtype'],
  shape: readonly number[],
): void {
  const fits =
    part.dtype === dtype && part.rank === shape.length && shape.every((size, axis) => part.shape[axis] === size);
  if (fits) return;
  throw new ShapeMismatchError(
    `QuantizedTensor: ${argument} does not fit the scheme ${scheme.name}: expected ${dtype}[${shape.join(', ')}], ` +
      `got ${describeTensor(part)}. Make it with quantizeWeights().`,
    { argument, expected: { dtype, shape }, got: { dtype: part.dtype, shape: part.shape } },
  );
}
