// Works out how large a request is from the tensors it brings, and checks them against the declaration. Pure.

import { describeTensor, InvalidArgumentError, ShapeMismatchError, Tensor } from '@limen/tensor';

import type { AxisSizes } from './axes.js';
import type { DataInput, InputDeclarations, ShapePart } from './bucket-declaration.js';

type Given = Readonly<Record<string, Tensor | ArrayLike<number>>>;

/** The declared inputs that callers give. */
export function dataInputs(inputs: InputDeclarations): [string, DataInput][] {
  return Object.entries(inputs).filter((entry): entry is [string, DataInput] => 'shape' in entry[1]);
}

/** A shape with its axes filled in. */
export function resolveShape(shape: readonly ShapePart[], sizes: AxisSizes): number[] {
  return shape.map((part) => (typeof part === 'number' ? part : (sizes[part] ?? NaN)));
}

/**
 * The extent of every axis, from the shapes of tensors, then from the lengths of plain arrays.
 *
 * @param caller - named by errors
 * @param sizes - extents that the caller states; needed where an array leaves more than one axis open
 * @throws {InvalidArgumentError} an input is missing or unknown, or an axis stays open
 * @throws {ShapeMismatchError} two inputs disagree, or one differs from its declaration
 */
export function bindSizes<Axis extends string>(
  caller: string,
  axes: Readonly<Record<Axis, unknown>>,
  inputs: InputDeclarations<Axis>,
  given: Given,
  sizes: Partial<AxisSizes<Axis>> = {},
): AxisSizes<Axis> {
  const bound = { ...sizes } as Record<string, number>;
  const declared = dataInputs(inputs);
  const known = declared.map(([name]) => name);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  const missing = known.find((name) => given[name] === undefined);
  if (unknown !== undefined || missing !== undefined) {
    throw new InvalidArgumentError(
      `${caller}: input ${unknown ?? missing} is ${unknown === undefined ? 'missing' : 'unknown'}: ` +
        `expected ${known.join(', ')}, got ${Object.keys(given).join(', ')}. Give every declared input that is no mask.`,
    );
  }
  for (const [name, { shape, dtype = 'f32' }] of declared) {
    const value = given[name];
    if (!(value instanceof Tensor)) continue;
    if (value.rank !== shape.length || value.dtype !== dtype) throw mismatch(caller, name, shape, dtype, value);
    for (const [axis, part] of shape.entries()) {
      const extent = value.extent(axis);
      const expected = typeof part === 'number' ? part : bound[part];
      if (expected !== undefined && expected !== extent) throw mismatch(caller, name, shape, dtype, value, bound);
      if (typeof part === 'string') bound[part] = extent;
    }
  }
  for (const [name, { shape }] of declared) {
    const value = given[name];
    if (value === undefined || value instanceof Tensor) continue;
    const open = shape.filter((part): part is string => typeof part === 'string' && bound[part] === undefined);
    const rest = resolveShape(shape, bound).reduce((product, extent) => product * (extent >= 0 ? extent : 1), 1);
    const [first] = open;
    if (open.length === 1 && first !== undefined && rest > 0) bound[first] = value.length / rest;
    const full = resolveShape(shape, bound);
    const product = full.reduce((total, extent) => total * extent, 1);
    if (product !== value.length || !full.every(Number.isSafeInteger)) {
      throw new ShapeMismatchError(
        `${caller}: input ${name} does not fill its shape: expected [${shape.join(', ')}]${saying(bound)}, got ` +
          `${value.length} values. Give a tensor, or state the sizes of its axes.`,
      );
    }
  }
  for (const axis of Object.keys(axes)) {
    const extent = bound[axis];
    if (extent !== undefined && Number.isSafeInteger(extent) && extent >= 0) continue;
    throw new InvalidArgumentError(
      `${caller}: axis ${axis} has no size: expected an input with that axis, got ${extent ?? 'none'}. State it: run(inputs, { ${axis}: … }).`,
      { axis },
    );
  }
  return bound as AxisSizes<Axis>;
}

function saying(bound: Readonly<Record<string, number>>): string {
  const facts = Object.entries(bound).map(([axis, extent]) => `${axis} ${extent}`);
  return facts.length === 0 ? '' : ` with ${facts.join(', ')}`;
}

function mismatch(
  caller: string,
  name: string,
  shape: readonly ShapePart[],
  dtype: string,
  got: Tensor,
  bound: Readonly<Record<string, number>> = {},
): ShapeMismatchError {
  return new ShapeMismatchError(
    `${caller}: input ${name} does not fit: expected ${dtype}[${shape.join(', ')}]${saying(bound)}, got ` +
      `${describeTensor(got)}. All inputs of one call must agree on every axis.`,
    { input: name },
  );
}
