// Turns a declaration into a checked, dispatched, logged function. It is the only dispatcher in the repository.

import type { PreparedCall } from './backends/backend.js';
import { backendFor } from './backends/backends.js';
import { type BoundCall, bindInputs, describeArguments, fitsLayout } from './contract.js';
import { emptyOn } from './create.js';
import { type DType, isDType } from './dtype.js';
import { InvalidArgumentError } from './errors/invalid-argument-error.js';
import { ShapeMismatchError } from './errors/shape-mismatch-error.js';
import type {
  AttributeContract,
  AttributeValue,
  Choice,
  HostArray,
  InputContract,
  OpDeclaration,
  OutputContract,
  RunnableDeclaration,
} from './op-declaration.js';
import { logCall } from './op-log.js';
import { sameShape } from './shape.js';
import type { Tensor } from './tensor.js';

type DataOf<Name> = Name extends 'i32'
  ? Int32Array
  : Name extends 'u8'
    ? Uint8Array
    : Name extends 'i8'
      ? Int8Array
      : Float32Array;
type InputData<C> = C extends { dtype: readonly (infer T)[] } ? DataOf<T> : Float32Array;
type OutputData<C> = C extends { dtype: infer T } ? DataOf<T> : Float32Array;

type Inputs<I> = { [K in keyof I as I[K] extends { optional: true } ? never : K]: Tensor } & {
  [K in keyof I as I[K] extends { optional: true } ? K : never]?: Tensor | undefined;
};
type Attributes<A> = {
  [K in keyof A]: A[K] extends Choice<infer Word> ? Word : A[K] extends boolean ? boolean : number;
};
type HostArrays<I, O> = {
  [K in keyof I]: I[K] extends { optional: true } ? HostArray<InputData<I[K]>> | undefined : HostArray<InputData<I[K]>>;
} & { [K in keyof O]: HostArray<OutputData<O[K]>> };
type IsUnion<T, U = T> = T extends unknown ? ([U] extends [T] ? false : true) : never;
type Results<O> = [keyof O] extends [never]
  ? void
  : IsUnion<keyof O> extends true
    ? { [K in keyof O]: Tensor }
    : Tensor;

/** A declaration with the types of its reference filled in. */
export interface TypedDeclaration<I, O, A> extends OpDeclaration {
  readonly inputs: I & Readonly<Record<string, InputContract>>;
  readonly outputs: O & Readonly<Record<string, OutputContract>>;
  readonly attributes?: A & Readonly<Record<string, AttributeContract>>;
  /** The op in plain loops over contiguous arrays; floats arrive as f32 and are rounded to the tensor's type after. */
  reference(arrays: HostArrays<I, O>, attributes: Attributes<A>): void;
}

/** Declared defaults, and `out` to write into a tensor that exists: the caller's to dispose, as is a new one. */
export type OpOptions<O, A> = Partial<Attributes<A>> & {
  readonly out?: (IsUnion<keyof O> extends true ? { readonly [K in keyof O]?: Tensor } : Tensor) | undefined;
};

/** A callable op. */
export interface Op<I, O, A> {
  (inputs: Inputs<I>, options?: OpOptions<O, A>): Results<O>;
  readonly declaration: TypedDeclaration<I, O, A>;
}

/** An op whose types are not known, as the shared test suite and the benchmarks see it. */
export interface AnyOp {
  (inputs: Readonly<Record<string, Tensor | undefined>>, options?: Readonly<Record<string, unknown>>): unknown;
  readonly declaration: RunnableDeclaration;
}

/**
 * Declares an op.
 *
 * The function it returns checks inputs against the contract, allocates outputs that were not given as `out`, and hands
 * the call to the device's backend: a CUDA kernel, a SIMD kernel on the CPU, or the reference.
 */
export function defineOp<
  const I extends Readonly<Record<string, InputContract>>,
  const O extends Readonly<Record<string, OutputContract>>,
  const A extends Readonly<Record<string, AttributeContract>> = Readonly<Record<never, never>>,
>(declaration: TypedDeclaration<I, O, A>): Op<I, O, A> {
  const outputNames = Object.keys(declaration.outputs);
  const onlyOutput = outputNames.length === 1 ? outputNames[0] : undefined;

  const call = (
    inputs: Readonly<Record<string, Tensor | undefined>>,
    options: Readonly<Record<string, unknown>> = {},
  ) => {
    const bound = bindInputs(declaration, inputs);
    const attributes = readAttributes(declaration, options);
    const problem = declaration.check?.(bound.sizes, attributes);
    if (problem !== undefined) {
      throw new ShapeMismatchError(
        `${declaration.name}: ${problem.argument} is not allowed: expected ${problem.expected}, got ${problem.got}.` +
          `${problem.fix === undefined ? '' : ` ${problem.fix}`}${describeArguments(inputs)}`,
        { op: declaration.name, argument: problem.argument },
      );
    }
    const { out } = options;
    const given =
      onlyOutput === undefined ? ((out ?? {}) as Record<string, Tensor>) : { [onlyOutput]: out as Tensor | undefined };
    // An output made for this call has no owner until it is returned.
    const made: Tensor[] = [];
    try {
      const outputs = outputNames.map((name) => {
        const output = prepareOutput(declaration, name, given[name], bound, attributes, inputs);
        if (given[name] === undefined) made.push(output);
        return output;
      });
      const prepared: PreparedCall = {
        declaration,
        tensors: [...Object.keys(declaration.inputs).map((name) => inputs[name] ?? null), ...outputs],
        attributes,
        packedAttributes: packAttributes(declaration, attributes),
      };
      logCall(prepared);
      backendFor(bound.device).run(prepared);
      if (onlyOutput !== undefined) return outputs[0];
      if (outputNames.length === 0) return undefined;
      return Object.fromEntries(outputNames.map((name, index) => [name, outputs[index]]));
    } catch (error) {
      for (const output of made) output.dispose();
      throw error;
    }
  };
  Object.defineProperty(call, 'name', { value: declaration.name });
  return Object.assign(call, { declaration }) as unknown as Op<I, O, A>;
}

/** Shape and type of an output for sizes that a call bound. */
export function outputGeometry(
  declaration: OpDeclaration,
  name: string,
  bound: BoundCall,
  attributes: Readonly<Record<string, AttributeValue>>,
  inputs: Readonly<Record<string, Tensor | undefined>>,
): { shape: number[]; dtype: DType } {
  const contract = declaration.outputs[name];
  if (contract === undefined) {
    const known = Object.keys(declaration.outputs).join(', ');
    throw new InvalidArgumentError(
      `${declaration.name}: output is unknown: expected one of ${known}, got ${name}. Choose one of these.`,
    );
  }
  const { shape, dtype } = contract;
  const named = typeof dtype === 'function' ? dtype(attributes) : dtype;
  const resolved =
    named === undefined ? bound.commonDType : (inputs[named]?.dtype ?? (isDType(named) ? named : undefined));
  if (resolved === undefined) {
    throw new InvalidArgumentError(
      `${declaration.name}: the type of ${name} is open: expected an input of the common type, got none. ` +
        'Declare a dtype for the output.',
    );
  }
  return {
    shape: typeof shape === 'function' ? shape(bound.sizes, attributes) : bound.sizes.resolve(shape),
    dtype: resolved,
  };
}

function prepareOutput(
  declaration: OpDeclaration,
  name: string,
  out: Tensor | undefined,
  bound: BoundCall,
  attributes: Readonly<Record<string, AttributeValue>>,
  inputs: Readonly<Record<string, Tensor | undefined>>,
): Tensor {
  const { shape, dtype } = outputGeometry(declaration, name, bound, attributes, inputs);
  if (out === undefined) return emptyOn(backendFor(bound.device), shape, dtype);
  void out.storage;
  const layout = declaration.outputs[name]?.layout ?? 'contiguous';
  if (out.device !== bound.device || out.dtype !== dtype || !sameShape(out.shape, shape) || !fitsLayout(out, layout)) {
    throw new ShapeMismatchError(
      `${declaration.name}: out does not fit: expected ${layout} ${dtype}[${shape.join(', ')}] ${bound.device}, ` +
        `got ${out.dtype}[${out.shape.join(', ')}] ${out.device} with strides [${out.strides.join(', ')}]. ` +
        'Leave out away to get a new tensor.',
      { op: declaration.name, argument: 'out' },
    );
  }
  return out;
}

function readAttributes(
  declaration: OpDeclaration,
  options: Readonly<Record<string, unknown>>,
): Record<string, AttributeValue> {
  const contracts = declaration.attributes ?? {};
  for (const name of Object.keys(options)) {
    if (name !== 'out' && !Object.hasOwn(contracts, name)) {
      const known = [...Object.keys(contracts), 'out'].join(', ');
      throw new InvalidArgumentError(
        `${declaration.name}: option is unknown: expected one of ${known}, got ${name}. Tensors go into the first argument.`,
        { option: name },
      );
    }
  }
  const values: Record<string, AttributeValue> = {};
  for (const [name, contract] of Object.entries(contracts)) {
    const value = options[name];
    if (value === undefined) {
      values[name] = typeof contract === 'object' ? contract.default : contract;
    } else if (
      typeof contract === 'object' ? contract.choices.includes(value as string) : typeof value === typeof contract
    ) {
      values[name] = value as AttributeValue;
    } else {
      const expected = typeof contract === 'object' ? contract.choices.join(' | ') : typeof contract;
      const otherwise = String(typeof contract === 'object' ? contract.default : contract);
      throw new InvalidArgumentError(
        `${declaration.name}: ${name} is not allowed: expected ${expected}, got ${String(value)}. Leave it out for ${otherwise}.`,
        { option: name },
      );
    }
  }
  return values;
}

function packAttributes(
  declaration: OpDeclaration,
  attributes: Readonly<Record<string, AttributeValue>>,
): Float64Array {
  const contracts = Object.entries(declaration.attributes ?? {});
  const packed = new Float64Array(contracts.length);
  for (const [index, [name, contract]] of contracts.entries()) {
    const value = attributes[name];
    packed[index] = typeof contract === 'object' ? contract.choices.indexOf(String(value)) : Number(value);
  }
  return packed;
}
