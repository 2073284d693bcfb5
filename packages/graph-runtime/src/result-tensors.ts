// What a step returned: a tensor, or several in an array or an object.

import { Tensor } from '@limen/tensor';

/** Disposes a tensor, or those in an array or object. */
export function disposeTensors(value: unknown): void {
  if (value instanceof Tensor) value.dispose();
  else if (Array.isArray(value)) value.forEach(disposeTensors);
  else if (typeof value === 'object' && value !== null) Object.values(value).forEach(disposeTensors);
}

/** The same array or object with other tensors; what else is in it stays. */
export function mapTensors<Result>(value: Result, map: (tensor: Tensor) => Tensor): Result {
  const mapped = (part: unknown): unknown => {
    if (part instanceof Tensor) return map(part);
    if (Array.isArray(part)) return part.map(mapped);
    if (typeof part !== 'object' || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, mapped(inner)]));
  };
  return mapped(value) as Result;
}
