// Matches the tensors of a call against an op's declared shapes, types, layouts and device.

import { describeTensor } from './describe.js';
import type { DeviceName } from './device.js';
import type { DType } from './dtype.js';
import { DeviceMismatchError } from './errors/device-mismatch-error.js';
import { LayoutError } from './errors/layout-error.js';
import { ShapeMismatchError } from './errors/shape-mismatch-error.js';
import { UnsupportedDTypeError } from './errors/unsupported-dtype-error.js';
import type { Axis, Layout, OpDeclaration, Sizes } from './op-declaration.js';
import { isSuffix, sameShape } from './shape.js';
import type { Tensor } from './tensor.js';

/** What a call bound: sizes by name, the common type, the device. */
export interface BoundCall {
  readonly sizes: BoundSizes;
  readonly commonDType: DType | undefined;
  readonly device: DeviceName;
}

/** Sizes by name, bound left to right over the arguments; a second meeting must agree. */
export class BoundSizes implements Sizes {
  readonly #named = new Map<string, number>();
  /** Names bound by the match under way. */
  readonly #fresh: string[] = [];
  readonly #given = new Map<string, DType>();
  leading: readonly number[] = [];
  leadingBound = false;

  get(name: string): number {
    const size = this.#named.get(name);
    if (size === undefined) {
      throw new ShapeMismatchError(
        `size ${name} is not bound: expected an input that has it, got none. Correct the op's declaration.`,
      );
    }
    return size;
  }

  has(input: string): boolean {
    return this.#given.has(input);
  }

  dtypeOf(input: string): DType | undefined {
    return this.#given.get(input);
  }

  markGiven(input: string, dtype: DType): void {
    this.#given.set(input, dtype);
  }

  isBound(name: string): boolean {
    return this.#named.has(name);
  }

  /** Matches a shape against a pattern, binding new names; false, and nothing bound, when something disagrees. */
  bind(pattern: readonly Axis[], shape: readonly number[]): boolean {
    const open = pattern[0] === '...';
    const first = open ? 1 : 0;
    const count = pattern.length - first;
    if (open ? shape.length < count : shape.length !== count) return false;
    const leading = open ? shape.slice(0, shape.length - count) : [];
    if (open && this.leadingBound && !sameShape(this.leading, leading)) return false;
    for (let index = 0; index < count; index++) {
      const axis = pattern[first + index] ?? 0;
      const size = shape[leading.length + index] ?? -1;
      const known = typeof axis === 'number' ? axis : this.#named.get(axis);
      if (known !== undefined && known !== size) {
        for (const bound of this.#fresh) this.#named.delete(bound);
        this.#fresh.length = 0;
        return false;
      }
      if (known === undefined) {
        this.#named.set(String(axis), size);
        this.#fresh.push(String(axis));
      }
    }
    this.#fresh.length = 0;
    if (open) {
      this.leading = leading;
      this.leadingBound = true;
    }
    return true;
  }

  /** Binds the names that are still free, also where sizes disagree: for shapes that are meant to be wrong. */
  suggest(pattern: readonly Axis[], shape: readonly number[]): void {
    const open = pattern[0] === '...';
    const fixed = open ? pattern.slice(1) : pattern;
    const rest = Math.max(0, shape.length - fixed.length);
    for (const [index, axis] of fixed.entries()) {
      const size = shape[rest + index];
      if (typeof axis === 'string' && size !== undefined && !this.#named.has(axis)) this.#named.set(axis, size);
    }
    if (open && !this.leadingBound) {
      this.leading = shape.slice(0, rest);
      this.leadingBound = true;
    }
  }

  /** The shape that a pattern stands for. */
  resolve(pattern: readonly Axis[]): number[] {
    return pattern.flatMap((axis) =>
      axis === '...' ? this.leading : typeof axis === 'number' ? axis : this.get(axis),
    );
  }

  /** `[..., C]` with what is known filled in: `[2, 17, C] = [2, 17, 4096]` reads best in a message. */
  explain(pattern: readonly Axis[]): string {
    const known = pattern.map((axis) => {
      if (axis === '...') return this.leadingBound ? this.leading.join(', ') || '(none)' : '...';
      return typeof axis === 'number' ? String(axis) : String(this.#named.get(axis) ?? axis);
    });
    return `[${pattern.join(', ')}] = [${known.filter((text) => text !== '(none)').join(', ')}]`;
  }
}

const reshaping = 'Pass one that fits, or reshape() it.';

/** Whether strides satisfy a declared layout. */
export function fitsLayout(tensor: Tensor, layout: Layout): boolean {
  return layout === 'strided' || (layout === 'rows' ? tensor.hasDenseRows : tensor.isContiguous);
}

/** One line per tensor argument, for the end of an error message. */
export function describeArguments(tensors: Readonly<Record<string, Tensor | undefined>>): string {
  const given = Object.entries(tensors).filter((entry): entry is [string, Tensor] => entry[1] !== undefined);
  const width = Math.max(0, ...given.map(([name]) => name.length));
  return given.map(([name, tensor]) => `\n  ${name.padEnd(width)}  ${describeTensor(tensor)}`).join('');
}

/**
 * Checks every input of a call.
 *
 * @throws {ShapeMismatchError} a missing input, or sizes that disagree
 * @throws {UnsupportedDTypeError} a type outside the contract
 * @throws {LayoutError} strides outside the contract
 * @throws {DeviceMismatchError} inputs on different devices
 * @throws {DisposedError} an input was disposed
 */
export function bindInputs(
  declaration: OpDeclaration,
  inputs: Readonly<Record<string, Tensor | undefined>>,
): BoundCall {
  const { name: op } = declaration;
  const sizes = new BoundSizes();
  let commonDType: DType | undefined;
  let device: DeviceName | undefined;
  const fail = (argument: string, problem: string, expected: string, got: string, fix = '') =>
    `${op}: ${argument} ${problem}: expected ${expected}, got ${got}.${fix && ` ${fix}`}${describeArguments(inputs)}`;

  for (const argument of Object.keys(inputs)) {
    if (!Object.hasOwn(declaration.inputs, argument)) {
      const expected = Object.keys(declaration.inputs).join(', ');
      throw new ShapeMismatchError(
        fail(argument, 'is not an input', `one of ${expected}`, argument, 'Options go into the second argument.'),
        { op, argument },
      );
    }
  }
  for (const [argument, contract] of Object.entries(declaration.inputs)) {
    const tensor = inputs[argument];
    if (tensor === undefined) {
      if (contract.optional) continue;
      throw new ShapeMismatchError(
        fail(argument, 'is missing', `a tensor [${contract.shape.join(', ')}]`, 'none', 'Pass it by this name.'),
        { op, argument },
      );
    }
    void tensor.storage;
    sizes.markGiven(argument, tensor.dtype);
    device ??= tensor.device;
    if (tensor.device !== device) {
      throw new DeviceMismatchError(
        fail(argument, 'is on another device', device, tensor.device, 'Move it with toDevice().'),
        { op, argument },
      );
    }
    const allowed = contract.dtype ?? (commonDType === undefined ? declaration.dtypes : [commonDType]);
    if (!allowed.includes(tensor.dtype)) {
      throw new UnsupportedDTypeError(
        fail(argument, 'has the wrong dtype', allowed.join(' | '), tensor.dtype, 'Convert it with cast().'),
        { op, argument },
      );
    }
    if (contract.dtype === undefined) commonDType = tensor.dtype;
    const whole = contract.suffixOf === undefined ? undefined : inputs[contract.suffixOf];
    if (whole === undefined ? !sizes.bind(contract.shape, tensor.shape) : !isSuffix(tensor.shape, whole.shape)) {
      const expected =
        whole === undefined ? sizes.explain(contract.shape) : `the last axes of [${whole.shape.join(', ')}]`;
      throw new ShapeMismatchError(
        fail(argument, 'has the wrong shape', expected, `[${tensor.shape.join(', ')}]`, reshaping),
        { op, argument },
      );
    }
    if (!fitsLayout(tensor, contract.layout ?? 'contiguous')) {
      const got = `strides [${tensor.strides.join(', ')}]`;
      throw new LayoutError(
        fail(argument, 'has the wrong layout', contract.layout ?? 'contiguous', got, 'Use contiguous(tensor).'),
        { op, argument },
      );
    }
  }
  if (device === undefined) {
    const expected = Object.keys(declaration.inputs).join(', ');
    throw new ShapeMismatchError(
      `${op}: input is missing: expected ${expected}, got none. Pass tensors by these names.`,
      {
        op,
      },
    );
  }
  return { sizes, commonDType, device };
}
