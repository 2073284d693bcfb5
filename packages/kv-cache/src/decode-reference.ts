// What the two decode-attention ops share: which keys a query sees, their clauses, and the attention itself over
// vectors that a caller reads out of its pages.

import type { ContractProblem, HostArray, Sizes } from '@limen/tensor';

/** Head sizes above this have no kernel. */
const largestHeadSize = 512;

/** Attributes of decode attention. */
export interface DecodeAttributes {
  readonly scale: number;
  readonly window: number;
  readonly sinks: number;
}

/** Arguments that do not depend on how keys and values are stored. */
export interface DecodeArrays {
  readonly q: HostArray;
  readonly pageTable: HostArray<Int32Array>;
  readonly lengths: HostArray<Int32Array>;
  readonly y: HostArray;
}

/** Writes the vector of a page's slot and head into `target`. */
export type ReadVector = (page: number, slot: number, head: number, target: Float32Array) => void;

/** Whether a query at the end of `length` keys sees the key at `position`. */
export function isSeen(position: number, length: number, { window, sinks }: DecodeAttributes): boolean {
  return position < length && (window === 0 || position < sinks || position >= length - window);
}

/** Clauses beyond the shapes. */
export function checkDecode(
  sizes: Sizes,
  { window, sinks }: Readonly<Record<string, unknown>>,
): ContractProblem | undefined {
  const [batches, heads, headSize, keyHeads] = [sizes.get('B'), sizes.get('H'), sizes.get('D'), sizes.get('K')];
  if (keyHeads === 0 || heads % keyHeads !== 0) {
    return { argument: 'keyPages', expected: `a number of heads that divides ${heads}`, got: String(keyHeads) };
  }
  if (headSize > largestHeadSize) return { argument: 'q', expected: `D ≤ ${largestHeadSize}`, got: String(headSize) };
  for (const [argument, value] of Object.entries({ window, sinks })) {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) continue;
    return { argument, expected: 'a whole number of tokens from 0', got: String(value) };
  }
  if (!sizes.has('prefixLengths')) return undefined;
  const groups = sizes.get('N');
  if (groups > 0 && batches % groups === 0) return undefined;
  return { argument: 'prefixLengths', expected: `a number of groups that divides ${batches}`, got: String(groups) };
}

/** Attention of one query per sequence, in f64. Sizes are those of the pages, whatever their storage. */
export function attendDecode(
  { q, pageTable, lengths, y }: DecodeArrays,
  { pageSize, keyHeads }: { readonly pageSize: number; readonly keyHeads: number },
  attributes: DecodeAttributes,
  readKey: ReadVector,
  readValue: ReadVector,
): void {
  const [batches = 0, heads = 0, headSize = 0] = q.shape;
  const [, pagesPerSequence = 0] = pageTable.shape;
  const factor = attributes.scale === 0 ? 1 / Math.sqrt(headSize) : attributes.scale;
  const vector = new Float32Array(headSize);
  for (let batch = 0; batch < batches; batch++) {
    const length = Math.max(0, Math.min(lengths.data[batch] ?? 0, pagesPerSequence * pageSize));
    const seen = Array.from({ length }, (_, position) => position).filter((position) =>
      isSeen(position, length, attributes),
    );
    const pageOf = (position: number) =>
      pageTable.data[batch * pagesPerSequence + Math.floor(position / pageSize)] ?? 0;
    for (let head = 0; head < heads; head++) {
      const keyHead = Math.floor(head / (heads / keyHeads));
      const row = (batch * heads + head) * headSize;
      const weights = seen.map((position) => {
        readKey(pageOf(position), position % pageSize, keyHead, vector);
        let sum = 0;
        for (let d = 0; d < headSize; d++) sum += (q.data[row + d] ?? 0) * (vector[d] ?? 0);
        return factor * sum;
      });
      const highest = weights.reduce((best, score) => Math.max(best, score), -Infinity);
      const sums = new Float64Array(headSize);
      let total = 0;
      for (const [index, position] of seen.entries()) {
        const weight = Math.exp((weights[index] ?? 0) - highest);
        total += weight;
        readValue(pageOf(position), position % pageSize, keyHead, vector);
        for (let d = 0; d < headSize; d++) sums[d] = (sums[d] ?? 0) + weight * (vector[d] ?? 0);
      }
      for (let d = 0; d < headSize; d++) y.data[row + d] = total === 0 ? 0 : (sums[d] ?? 0) / total;
    }
  }
}
