// Pure arithmetic on shapes and strides. Strides count elements, not bytes.

/** Product of the sizes; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Strides of a row-major contiguous tensor. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] ?? 1;
  }
  return strides;
}

/** Whether elements lie in row-major order without gaps; axes of size 1 may have any stride. */
export function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] ?? 1;
    if (extent === 0) return true;
    if (extent !== 1 && strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
}

/** Whether the last axis is dense; the others may have any stride. */
export function hasDenseRows(shape: readonly number[], strides: readonly number[]): boolean {
  const last = shape.length - 1;
  return last < 0 || (shape[last] ?? 1) <= 1 || strides[last] === 1;
}

/** Turns a negative axis into one counted from the front; returns -1 when it is out of range. */
export function normalizeAxis(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  return Number.isInteger(axis) && normal >= 0 && normal < rank ? normal : -1;
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** Whether `end` is the last axes of `shape`: none, some or all of them. */
export function isSuffix(end: readonly number[], shape: readonly number[]): boolean {
  return end.length <= shape.length && sameShape(end, shape.slice(shape.length - end.length));
}

/** Element offset of the last element plus one: what a strided view needs of its storage. */
export function extentOf(shape: readonly number[], strides: readonly number[]): number {
  let last = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const extent = shape[axis] ?? 1;
    if (extent === 0) return 0;
    last += (extent - 1) * (strides[axis] ?? 0);
  }
  return last + 1;
}
