// Stored vectors as references of ops see them: arrays of elements and, where the format has them, of scales. Clauses on
// their shapes, and one way to read and write a vector whatever its format.

import type { HostArray, Sizes } from '@limen/tensor';

import { decodeVector, encodeVector, type StoredElements } from './storage-arithmetic.js';
import { type CacheDType, cacheFormats, type ScaledCacheDType, storedHeadSize } from './storage-formats.js';

/** Elements and scales of the vectors of a pool. */
export interface StoredArrays {
  readonly elements: HostArray<StoredElements>;
  readonly scales: HostArray | undefined;
}

/** The format that arrays are in: f16 and bf16 look like f32 here, and need nothing done. */
function formatOf({ elements, scales }: StoredArrays): 'f32' | ScaledCacheDType {
  if (elements.data instanceof Int8Array) return 'int8';
  if (elements.data instanceof Uint8Array) return 'int4';
  return scales === undefined ? 'f32' : 'fp8';
}

/** Elements of a vector before storing. */
export function headSizeOf(stored: StoredArrays): number {
  const width = stored.elements.shape.at(-1) ?? 0;
  return formatOf(stored) === 'int4' ? 2 * width : width;
}

/** Reads vector `index`, counted over all axes but the last. */
export function readVector(stored: StoredArrays, index: number, target: Float32Array): void {
  const format = formatOf(stored);
  const { elements, scales } = partsOf(stored, index);
  if (format === 'f32') target.set(elements);
  else decodeVector(format, elements, scales, target);
}

/** Stores `source` as vector `index`. */
export function writeVector(stored: StoredArrays, index: number, source: Float32Array): void {
  const format = formatOf(stored);
  const { elements, scales } = partsOf(stored, index);
  if (format === 'f32') elements.set(source);
  else encodeVector(format, source, elements, scales);
}

function partsOf({ elements, scales }: StoredArrays, index: number) {
  const width = elements.shape.at(-1) ?? 0;
  const count = scales?.shape.at(-1) ?? 0;
  return {
    elements: elements.data.subarray(index * width, (index + 1) * width),
    scales: scales?.data.subarray(index * count, (index + 1) * count) ?? new Float32Array(0),
  };
}

/** Storage format of a tensor type. */
export function formatOfDType(dtype: string | undefined): CacheDType {
  const names = Object.keys(cacheFormats) as CacheDType[];
  return names.find((name) => cacheFormats[name].elementDType === dtype) ?? 'f32';
}

/** The first clause that the stored side of a call breaks, if any: width of elements, presence and shape of scales. */
export function checkStored(
  sizes: Sizes,
  {
    elements,
    scales,
    width,
    scaleCount,
    headSize,
  }: Readonly<Record<'elements' | 'scales' | 'width' | 'scaleCount', string>> & {
    /** Elements of a vector before storing, where another input fixes them. */
    readonly headSize?: number;
  },
) {
  const name = formatOfDType(sizes.dtypeOf(elements));
  const format = cacheFormats[name];
  if (headSize !== undefined && storedHeadSize(name, headSize) !== sizes.get(width)) {
    const expected = `a last axis of ${storedHeadSize(name, headSize)} for ${name} vectors of ${headSize}`;
    return { argument: elements, expected, got: String(sizes.get(width)) };
  }
  const got = sizes.has(scales) ? `${sizes.dtypeOf(scales)} [.., ${sizes.get(scaleCount)}]` : 'none';
  const expected = format.scales === undefined ? 'none' : `${format.scales.dtype} [.., ${format.scales.count}]`;
  if (got === expected) return undefined;
  return {
    argument: scales,
    expected: `${expected} for ${format.elementDType} elements`,
    got,
    fix: 'Scales belong to fp8 (f8e4m3), int8 (i8) and int4 (u8); PageMemory.layer() gives both.',
  };
}

/** The same for ops with `keyPages`, `valuePages` `[G, P, K, E]` and scales `[G, P, K, S]` of vectors of `D` elements. */
export function checkStoredPair(sizes: Sizes) {
  const headSize = sizes.get('D');
  const [keys, values] = [sizes.dtypeOf('keyPages'), sizes.dtypeOf('valuePages')];
  if (keys !== values) return { argument: 'valuePages', expected: `${keys}, as keyPages`, got: String(values) };
  const common = { width: 'E', scaleCount: 'S', headSize };
  return (
    checkStored(sizes, { ...common, elements: 'keyPages', scales: 'keyScales' }) ??
    checkStored(sizes, { ...common, elements: 'valuePages', scales: 'valueScales' })
  );
}
