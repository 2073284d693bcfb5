// Whether a replay made what an eager run makes.

import { rawValues, readBytes, type Tensor, type ValueArray } from '@limen/tensor';

/** What a comparison found: undefined when all is equal. */
export type Difference = string | undefined;

/**
 * Compares tensors name by name. What is compared is what they hold when this is called: the copies are enqueued at once.
 *
 * @param tolerance - largest difference allowed, relative above magnitude 1; 0: equal to the bit
 */
export async function compareOutputs(
  replayed: Readonly<Record<string, Tensor>>,
  eager: Readonly<Record<string, Tensor>>,
  tolerance: number,
): Promise<Difference> {
  const pairs = Object.entries(replayed).flatMap(([name, tensor]) => {
    const other = eager[name];
    return other === undefined ? [] : [{ name, values: Promise.all([bytesAndValues(tensor), bytesAndValues(other)]) }];
  });
  const problems: string[] = [];
  for (const { name, values } of pairs) {
    const [first, second] = await values;
    if (Buffer.compare(first.bytes, second.bytes) === 0) continue;
    const largest = largestDifference(first.values, second.values);
    if (tolerance > 0 && largest <= tolerance) continue;
    problems.push(`${name} differs from the eager run by up to ${largest.toPrecision(3)}`);
  }
  return problems.length === 0 ? undefined : problems.join('; ');
}

async function bytesAndValues(tensor: Tensor): Promise<{ bytes: Uint8Array; values: ValueArray }> {
  const bytes = await readBytes(tensor);
  return { bytes, values: rawValues(bytes, tensor.dtype) };
}

/** Relative above magnitude 1; NaN equals NaN, and is infinitely far from a number. */
function largestDifference(a: ValueArray, b: ValueArray): number {
  let largest = 0;
  for (const [index, value] of a.entries()) {
    const expected = b[index] ?? NaN;
    if (Object.is(value, expected) || value === expected) continue;
    const difference = Math.abs(value - expected) / Math.max(1, Math.abs(expected));
    largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
  }
  return largest;
}
