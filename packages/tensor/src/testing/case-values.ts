// Turns a case into numbers: full shapes, rounded inputs, and what the reference makes of them.

import { BoundSizes, bindInputs } from '../contract.js';
import { fromArray } from '../create.js';
import { type AnyOp, outputGeometry } from '../define-op.js';
import { type DType, isFloat, type ValueArray } from '../dtype.js';
import { InvalidArgumentError } from '../errors/invalid-argument-error.js';
import { hostValues } from '../host-arrays.js';
import type { AttributeValue, HostArray } from '../op-declaration.js';
import { sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { OpCase, ValueRule } from './op-cases.js';
import { SeededRandom } from './random.js';

/** Numbers of one tensor, rounded to its type. */
export interface CaseArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: ValueArray;
}

/** Inputs of a case and the results expected of them. */
export interface CaseValues {
  readonly inputs: Readonly<Record<string, CaseArray>>;
  /** What the reference wrote to each output, not rounded. */
  readonly outputs: Readonly<Record<string, CaseArray>>;
  /** Mutated inputs after the call, not rounded. */
  readonly mutated: Readonly<Record<string, CaseArray>>;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Shapes of every input that takes part: the given ones and those that follow from them. */
export function caseShapes(op: AnyOp, { shapes }: OpCase): Record<string, readonly number[]> {
  const { name, inputs } = op.declaration;
  const sizes = new BoundSizes();
  for (const [input, contract] of Object.entries(inputs)) {
    const shape = shapes[input];
    if (shape !== undefined) sizes.suggest(contract.shape, shape);
  }
  const all: Record<string, readonly number[]> = {};
  for (const [input, contract] of Object.entries(inputs)) {
    const shape = shapes[input] ?? (contract.optional === true ? undefined : sizes.resolve(contract.shape));
    if (shape !== undefined) all[input] = shape;
  }
  const unknown = Object.keys(shapes).find((input) => !Object.hasOwn(inputs, input));
  if (unknown !== undefined) throw new InvalidArgumentError(`${name}: a case names ${unknown}, which is not an input.`);
  return all;
}

/** Element type of an input in a case that runs with `common` as the shared type. */
export function caseDType(op: AnyOp, opCase: OpCase, input: string, common: DType): DType {
  return opCase.inputDTypes?.[input] ?? op.declaration.inputs[input]?.dtype?.[0] ?? common;
}

function makeValues(rule: ValueRule | undefined, dtype: DType, count: number, random: SeededRandom): ValueArray {
  const numbers = (() => {
    if (typeof rule === 'number') return new Float32Array(count).fill(rule);
    if (Array.isArray(rule)) return Float32Array.from(rule as readonly number[]);
    if (rule !== undefined) {
      const { low, high } = rule as { low: number; high: number };
      return Float32Array.from({ length: count }, () =>
        isFloat(dtype) ? low + random.uniform() * (high - low) : random.integer(low, high),
      );
    }
    if (isFloat(dtype)) return random.normals(count);
    return Float32Array.from({ length: count }, () => random.integer(dtype === 'u8' ? 0 : -100, 101));
  })();
  using rounded = fromArray(numbers, [count], { dtype });
  return hostValues(rounded).slice();
}

/** Draws the inputs of a case. */
export function drawInputs(op: AnyOp, opCase: OpCase, common: DType, seed: number): Record<string, CaseArray> {
  const random = new SeededRandom(seed);
  const inputs: Record<string, CaseArray> = {};
  for (const [input, shape] of Object.entries(caseShapes(op, opCase))) {
    const dtype = caseDType(op, opCase, input, common);
    inputs[input] = { dtype, shape, values: makeValues(opCase.values?.[input], dtype, sizeOf(shape), random) };
  }
  return inputs;
}

/** Draws one input alone. */
export function drawInput(
  opCase: OpCase,
  input: string,
  shape: readonly number[],
  dtype: DType,
  seed: number,
): CaseArray {
  return { dtype, shape, values: makeValues(opCase.values?.[input], dtype, sizeOf(shape), new SeededRandom(seed)) };
}

/** Draws the inputs and runs the reference on them. */
export function caseValues(op: AnyOp, opCase: OpCase, common: DType, seed = 1): CaseValues {
  const { declaration } = op;
  const inputs = drawInputs(op, opCase, common, seed);
  const attributes: Record<string, AttributeValue> = {};
  for (const [name, contract] of Object.entries(declaration.attributes ?? {})) {
    attributes[name] = opCase.attributes?.[name] ?? (typeof contract === 'object' ? contract.default : contract);
  }
  const tensors: Record<string, Tensor> = {};
  for (const [input, { values, shape, dtype }] of Object.entries(inputs))
    tensors[input] = fromArray(values, shape, { dtype });
  const bound = bindInputs(declaration, tensors);
  const arrays: Record<string, HostArray<ValueArray>> = {};
  for (const [input, { values, shape }] of Object.entries(inputs)) arrays[input] = { data: values.slice(), shape };
  const outputs: Record<string, CaseArray> = {};
  for (const name of Object.keys(declaration.outputs)) {
    const { shape, dtype } = outputGeometry(declaration, name, bound, attributes, tensors);
    const data = emptyValues(dtype, sizeOf(shape));
    arrays[name] = { data, shape };
    outputs[name] = { dtype, shape, values: data };
  }
  declaration.reference(arrays, attributes);
  const mutated: Record<string, CaseArray> = {};
  for (const [input, contract] of Object.entries(declaration.inputs)) {
    const array = inputs[input];
    const after = arrays[input];
    if (contract.mutated === true && array !== undefined && after !== undefined)
      mutated[input] = { ...array, values: after.data };
  }
  for (const tensor of Object.values(tensors)) tensor.dispose();
  return { inputs, outputs, mutated, attributes };
}

/** Poisoned, so that a reference that skips an element is found out. */
function emptyValues(dtype: DType, count: number): ValueArray {
  switch (dtype) {
    case 'i32':
      return new Int32Array(count).fill(-77);
    case 'i8':
      return new Int8Array(count).fill(-77);
    case 'u8':
      return new Uint8Array(count).fill(177);
    default:
      return new Float32Array(count).fill(NaN);
  }
}
