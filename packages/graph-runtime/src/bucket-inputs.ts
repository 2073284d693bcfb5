// The inputs of one bucket: tensors at fixed addresses that requests are copied into, with padding around them.

import { bytesOf, copy, empty, fromArray, fromBytes, Tensor, write } from '@limen/tensor';

import type { AxisSizes } from './axes.js';
import { dataInputs, resolveShape } from './bind-sizes.js';
import type { DataInput, InputDeclarations } from './bucket-declaration.js';

type Given = Readonly<Record<string, Tensor | ArrayLike<number>>>;

/** A given input as a tensor on the device: another reference, or a copy where it is elsewhere. The caller disposes it. */
export function onDevice(
  value: Tensor | ArrayLike<number>,
  { shape, dtype = 'f32' }: DataInput,
  sizes: AxisSizes,
  device: string,
): Tensor {
  if (!(value instanceof Tensor)) return fromArray(value, resolveShape(shape, sizes), { dtype, device });
  if (value.device === device) return value.clone();
  using dense = value.isContiguous ? value.clone() : copy({ x: value });
  const start = dense.offset * bytesOf(dtype);
  return fromBytes(dense.storage.bytes.subarray(start, start + dense.byteLength), dense.shape, { dtype, device });
}

/** The inputs that the runtime makes, for a request of `sizes` in a bucket. */
export function generatedValues(
  inputs: InputDeclarations,
  bucket: AxisSizes,
  sizes: AxisSizes,
): { name: string; shape: number[]; dtype: 'i32' | NonNullable<DataInput['dtype']>; values: Float32Array }[] {
  return Object.entries(inputs).flatMap(([name, input]) => {
    if ('sizeOf' in input) {
      return [{ name, shape: [1], dtype: 'i32' as const, values: Float32Array.of(sizes[input.sizeOf] ?? 0) }];
    }
    if (!('mask' in input)) return [];
    const shape = resolveShape(input.mask, bucket);
    return [{ name, shape, dtype: input.dtype ?? 'f32', values: maskValues(shape, resolveShape(input.mask, sizes)) }];
  });
}

function maskValues(shape: readonly number[], within: readonly number[]): Float32Array {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const values = new Float32Array(size);
  for (let place = 0; place < size; place++) {
    let rest = place;
    let inside = true;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const extent = shape[axis] ?? 1;
      inside &&= rest % extent < (within[axis] ?? 0);
      rest = Math.floor(rest / extent);
    }
    values[place] = inside ? 1 : 0;
  }
  return values;
}

/** Inputs of one bucket. */
export class BucketInputs implements Disposable {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly #device: string;
  readonly #declarations: InputDeclarations;
  readonly #bucket: AxisSizes;
  readonly #paddings = new Map<string, Tensor>();
  /** What is not padding now, by input. */
  readonly #filled = new Map<string, readonly number[]>();
  #generatedFor = '';

  /** Makes every input, all padding. */
  constructor(device: string, declarations: InputDeclarations, bucket: AxisSizes) {
    this.#device = device;
    this.#declarations = declarations;
    this.#bucket = bucket;
    const tensors: Record<string, Tensor> = {};
    this.tensors = tensors;
    try {
      for (const [name, { shape, dtype = 'f32', padding = 0 }] of dataInputs(declarations)) {
        const tensor = empty(resolveShape(shape, bucket), { dtype, device });
        tensors[name] = tensor;
        this.#paddings.set(name, fromArray([padding], [1], { dtype, device }));
        this.#pad(name, tensor);
      }
      const none = Object.fromEntries(Object.keys(bucket).map((axis) => [axis, 0]));
      for (const { name, shape, dtype, values } of generatedValues(declarations, bucket, none)) {
        tensors[name] = fromArray(values, shape, { dtype, device });
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Bytes of the tensors. */
  get bytes(): number {
    return Object.values(this.tensors).reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Copies a request in, in order with the ops, and makes what lies beyond it padding. */
  fill(given: Given, sizes: AxisSizes): void {
    for (const [name, declaration] of dataInputs(this.#declarations)) {
      const target = this.tensors[name];
      const value = given[name];
      if (target === undefined || value === undefined) continue;
      const extents = resolveShape(declaration.shape, sizes);
      const before = this.#filled.get(name) ?? extents.map(() => 0);
      if (before.some((extent, axis) => extent > (extents[axis] ?? 0))) this.#padBeyond(name, target, extents);
      this.#filled.set(name, extents);
      using source = onDevice(value, declaration, sizes, this.#device);
      if (source.size === 0) continue;
      using part = corner(target, extents);
      copy({ x: source }, { out: part });
    }
    const key = JSON.stringify(sizes);
    if (key === this.#generatedFor) return;
    this.#generatedFor = key;
    for (const { name, values } of generatedValues(this.#declarations, this.#bucket, sizes)) {
      const target = this.tensors[name];
      if (target !== undefined) write(target, values);
    }
  }

  [Symbol.dispose](): void {
    for (const tensor of [...Object.values(this.tensors), ...this.#paddings.values()]) tensor.dispose();
  }

  /** Fills what is not in the corner `extents`: for each axis the part beyond it, within the extents of the axes before. */
  #padBeyond(name: string, target: Tensor, extents: readonly number[]): void {
    for (const axis of extents.keys()) {
      if ((extents[axis] ?? 0) === target.extent(axis)) continue;
      using inner = corner(target, extents.slice(0, axis));
      using beyond = inner.slice(axis, extents[axis] ?? 0);
      this.#pad(name, beyond);
    }
  }

  #pad(name: string, target: Tensor): void {
    const value = this.#paddings.get(name);
    if (target.size === 0 || value === undefined) return;
    const strides = target.shape.map(() => 0);
    using everywhere = new Tensor(value.storage.retain(), value.dtype, target.shape, strides);
    copy({ x: everywhere }, { out: target });
  }
}

/** The first `extents` elements along the leading axes. The caller disposes it. */
export function corner(tensor: Tensor, extents: readonly number[]): Tensor {
  let view = tensor.clone();
  for (const [axis, extent] of extents.entries()) {
    using wider = view;
    view = wider.slice(axis, 0, extent);
  }
  return view;
}
