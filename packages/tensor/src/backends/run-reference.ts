// Runs an op's TypeScript reference on CPU tensors.

import { hostValues, sharesHostMemory, storeValues } from '../host-arrays.js';
import type { HostArray, RunnableDeclaration } from '../op-declaration.js';
import type { ValueArray } from '../dtype.js';
import type { PreparedCall } from './backend.js';

/** Reads the inputs, calls the reference, and writes back what it made and what it mutated. */
export function runReference(call: PreparedCall): void {
  const { tensors } = call;
  const declaration = call.declaration as RunnableDeclaration;
  const inputNames = Object.keys(declaration.inputs);
  const names = [...inputNames, ...Object.keys(declaration.outputs)];
  const arrays: Record<string, HostArray<ValueArray> | undefined> = {};
  for (const [index, name] of names.entries()) {
    const tensor = tensors[index] ?? null;
    arrays[name] = tensor === null ? undefined : { data: hostValues(tensor), shape: tensor.shape };
  }
  declaration.reference(arrays, call.attributes);
  for (const [index, name] of names.entries()) {
    const tensor = tensors[index] ?? null;
    const written = index >= inputNames.length || declaration.inputs[name]?.mutated === true;
    const array = arrays[name];
    if (written && tensor !== null && array !== undefined && !sharesHostMemory(tensor)) storeValues(tensor, array.data);
  }
}
