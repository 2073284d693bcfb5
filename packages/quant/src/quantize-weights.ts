// Weights to their quantised form and back: on the GPU through the op, on the CPU through the definition itself.

import {
  contiguous,
  describeTensor,
  fromArray,
  fromBytes,
  isFloat,
  linear,
  read,
  ShapeMismatchError,
  type Tensor,
  UnsupportedDTypeError,
  zeros,
} from '@limen/tensor';

import { type ErrorMeasures, measureError } from './error-report.js';
import { NotFiniteError } from './errors/not-finite-error.js';
import { UnknownSchemeError } from './errors/unknown-scheme-error.js';
import { packInt8Channel, unpackInt8Channel } from './int8-channel.js';
import { quantizeInt8 } from './ops/quantize-int8.js';
import { QuantizedTensor } from './quantized-tensor.js';
import { int8Channel, type SchemeName } from './scheme.js';

/** How one scheme is made and undone; the one place to extend when a scheme is added. */
interface Quantizer {
  quantize(weight: Tensor, rows: number, columns: number): Promise<QuantizedTensor>;
  restore(quantized: QuantizedTensor): Promise<Float32Array>;
}

const quantizers: Readonly<Record<SchemeName, Quantizer>> = {
  'int8-channel': { quantize: quantizeInt8Channel, restore: restoreInt8Channel },
};

/**
 * Quantises a weight matrix.
 *
 * @param weight - `[N, K]` f32 | f16 | bf16; N output channels
 * @param options.scheme - default `'int8-channel'`
 * @returns on the device of `weight`; the caller disposes it. `weight` stays as it is
 * @throws {ShapeMismatchError} `weight` is not a matrix
 * @throws {UnsupportedDTypeError} `weight` is not of a float type
 * @throws {UnknownSchemeError} no scheme has this name
 * @throws {NotFiniteError} a weight is NaN or infinite
 * @throws {DisposedError} `weight` was disposed
 */
export async function quantizeWeights(
  weight: Tensor,
  { scheme = 'int8-channel' }: { readonly scheme?: SchemeName } = {},
): Promise<QuantizedTensor> {
  const [rows, columns] = weight.shape;
  if (weight.rank !== 2 || rows === undefined || columns === undefined) {
    throw new ShapeMismatchError(
      `quantizeWeights: weight has the wrong rank: expected [N, K], got ${describeTensor(weight)}. Reshape it to a matrix.`,
    );
  }
  if (!isFloat(weight.dtype)) {
    throw new UnsupportedDTypeError(
      `quantizeWeights: weight has the wrong dtype: expected f32 | f16 | bf16, got ${describeTensor(weight)}. Quantise the original weights.`,
    );
  }
  return quantizerFor('quantizeWeights', scheme).quantize(weight, rows, columns);
}

/**
 * The matrix that a quantised tensor stands for.
 *
 * @param options.dtype - float type of the result; default `'f32'`
 * @returns `[N, K]` on the same device; the caller disposes it
 * @throws {UnknownSchemeError} the tensor's scheme is not one of this package
 * @throws {DisposedError} `quantized` was disposed
 */
export async function dequantizeWeights(
  quantized: QuantizedTensor,
  { dtype = 'f32' }: { readonly dtype?: 'f32' | 'f16' | 'bf16' } = {},
): Promise<Tensor> {
  const values = await quantizerFor('dequantizeWeights', quantized.scheme.name).restore(quantized);
  return fromArray(values, quantized.shape, { dtype, device: quantized.device });
}

/**
 * What quantisation cost one matrix.
 *
 * @param weight - the original, `[N, K]`
 * @throws {ShapeMismatchError} the two have different sizes
 * @throws {DisposedError} either was disposed
 */
export async function quantizationError(weight: Tensor, quantized: QuantizedTensor): Promise<ErrorMeasures> {
  const restored = await quantizerFor('quantizationError', quantized.scheme.name).restore(quantized);
  return measureError(await read(weight), restored);
}

function quantizerFor(caller: string, name: string): Quantizer {
  const found = Object.entries(quantizers).find(([key]) => key === name);
  if (found === undefined) throw new UnknownSchemeError(caller, name, Object.keys(quantizers));
  return found[1];
}

async function quantizeInt8Channel(weight: Tensor, rows: number, columns: number): Promise<QuantizedTensor> {
  const shape = [rows, columns] as const;
  if (weight.device === 'cpu') {
    const packed = packInt8Channel(Float32Array.from(await read(weight)), rows, columns);
    const codes = new Uint8Array(packed.values.buffer);
    const [values, scales] = [fromBytes(codes, shape, { dtype: 'i8' }), fromArray(packed.scales, [rows])];
    return new QuantizedTensor({ scheme: int8Channel, shape, values, scales });
  }
  using dense = contiguous(weight);
  await requireFiniteRows(dense);
  return new QuantizedTensor({ scheme: int8Channel, shape, ...quantizeInt8({ weight: dense }) });
}

/** Finds a broken weight without reading the matrix back: a row times zero is zero, unless it holds a NaN or an infinity. */
async function requireFiniteRows(weight: Tensor): Promise<void> {
  using nothing = zeros([1, weight.extent(1)], { dtype: weight.dtype, device: weight.device });
  using products = linear({ x: nothing, weight });
  const row = (await read(products)).findIndex((product) => product !== 0);
  if (row >= 0) throw new NotFiniteError('quantizeWeights', { row });
}

async function restoreInt8Channel({ values, scales, shape }: QuantizedTensor): Promise<Float32Array> {
  const [codes, factors] = await Promise.all([read(values), read(scales)]);
  return unpackInt8Channel({ values: Int8Array.from(codes), scales: Float32Array.from(factors) }, ...shape);
}
