// Whether a declaration holds together, and whether a step returns what was declared. Pure.

import { InvalidArgumentError, Tensor } from '@limen/tensor';

import { type AxisBuckets, type AxisSizes, bucketName, fitAxes } from './axes.js';
import { resolveShape } from './bind-sizes.js';
import type { InputDeclarations, OutputDeclarations, ShapePart } from './bucket-declaration.js';

/** @throws {InvalidArgumentError} a shape names an axis that is not declared */
export function checkDeclaration(
  name: string,
  { axes, inputs, outputs }: { axes: object; inputs: InputDeclarations; outputs: OutputDeclarations },
): void {
  const known = Object.keys(axes);
  const used = [
    ...Object.values(inputs).flatMap((input) =>
      'shape' in input ? input.shape : 'mask' in input ? input.mask : [input.sizeOf],
    ),
    ...Object.values(outputs).flat(),
  ];
  const unknown = used.find((part) => typeof part === 'string' && !known.includes(part));
  if (unknown === undefined) return;
  throw new InvalidArgumentError(
    `${name}: axis ${unknown} is unknown: expected one of ${known.join(', ')}, got ${unknown}. List its sizes under axes.`,
    { axis: unknown },
  );
}

/** What is wrong with the outputs of a step, in one sentence. */
export function outputProblem(
  declared: readonly (readonly [string, readonly ShapePart[]])[],
  outputs: Readonly<Record<string, unknown>>,
  sizes: AxisSizes,
): string | undefined {
  for (const [name, shape] of declared) {
    const tensor = outputs[name];
    const expected = resolveShape(shape, sizes);
    const got = tensor instanceof Tensor ? tensor.shape : undefined;
    if (got?.length === expected.length && got.every((extent, axis) => extent === expected[axis])) continue;
    return (
      `output ${name} does not fit: expected [${expected.join(', ')}], declared as [${shape.join(', ')}], ` +
      `got ${got === undefined ? 'no tensor' : `[${got.join(', ')}]`}.`
    );
  }
  const extra = Object.keys(outputs).find((name) => declared.every(([known]) => known !== name));
  if (extra === undefined) return undefined;
  return `output ${extra} is unknown: expected ${declared.map(([name]) => name).join(', ')}, got ${extra}.`;
}

/** @throws {InvalidArgumentError} the sizes are none of the declared ones */
export function requireBucket<Axis extends string>(
  name: string,
  axes: Readonly<Record<Axis, AxisBuckets>>,
  bucket: AxisSizes<Axis>,
): void {
  const fit = fitAxes(axes, bucket);
  const fitting = 'bucket' in fit ? bucketName(fit.bucket) : `at most ${fit.axis}=${fit.largest}`;
  if (fitting === bucketName(bucket)) return;
  throw new InvalidArgumentError(
    `${name}: bucket is unknown: expected ${fitting}, got ${bucketName(bucket)}. Give a declared size for every axis, in the declared order.`,
    { bucket },
  );
}
