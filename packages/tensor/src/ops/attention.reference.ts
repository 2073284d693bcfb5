// Attention in plain loops: one query at a time, all its scores, then their softmax, then the weighted values.

import type { HostArray } from '../op-declaration.js';

interface AttentionArrays {
  readonly q: HostArray;
  readonly k: HostArray;
  readonly v: HostArray;
  readonly lengths?: HostArray<Int32Array> | undefined;
  readonly y: HostArray;
}

/** The definition that every attention kernel is tested against. */
export function attentionReference(
  { q, k, v, lengths, y }: AttentionArrays,
  { scale, causal }: { scale: number; causal: boolean },
): void {
  const [batches = 0, queries = 0, heads = 0, headSize = 0] = q.shape;
  const [, keys = 0, keyHeads = 0] = k.shape;
  const factor = scale === 0 ? 1 / Math.sqrt(headSize) : scale;
  for (let batch = 0; batch < batches; batch++) {
    const valid = Math.min(lengths?.data[batch] ?? keys, keys);
    for (let query = 0; query < queries; query++) {
      const visible = Math.max(0, causal ? Math.min(valid, query + (keys - queries) + 1) : valid);
      for (let head = 0; head < heads; head++) {
        const keyHead = Math.floor(head / (heads / keyHeads));
        const queryAt = ((batch * queries + query) * heads + head) * headSize;
        const keyAt = (key: number) => ((batch * keys + key) * keyHeads + keyHead) * headSize;
        const weights = Array.from(
          { length: visible },
          (_, key) => factor * dot(q.data, queryAt, k.data, keyAt(key), headSize),
        );
        const highest = weights.reduce((best, score) => Math.max(best, score), -Infinity);
        let total = 0;
        for (const [key, score] of weights.entries()) total += weights[key] = Math.exp(score - highest);
        for (let d = 0; d < headSize; d++) {
          let sum = 0;
          for (const [key, weight] of weights.entries()) sum += weight * (v.data[keyAt(key) + d] ?? 0);
          y.data[queryAt + d] = total === 0 ? 0 : sum / total;
        }
      }
    }
  }
}

function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (a[aStart + i] ?? 0) * (b[bStart + i] ?? 0);
  return sum;
}
