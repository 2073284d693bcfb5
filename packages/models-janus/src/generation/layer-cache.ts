// A paged cache as a forward pass sees it. A pass computes in the model's type; a cache may keep another float type.

import type { PagedCache } from '@limen/kv-cache';
import { cast, contiguous, type DType, ropeHalf, type Tensor } from '@limen/tensor';

import type { LayerCache } from '../llama/key-value-step.js';

type FloatType = 'f32' | 'f16' | 'bf16';

/** `cache` for passes in type `dtype`: itself, or behind conversions where it keeps another float type. */
export function layerCache(cache: PagedCache, dtype: DType): LayerCache {
  const { dtype: stored } = cache;
  // Formats with scales convert on their own.
  if (stored === dtype || stored === 'fp8' || stored === 'int8' || stored === 'int4') return cache;
  return convertingCache(cache, stored, dtype as FloatType);
}

function convertingCache(cache: PagedCache, stored: FloatType, dtype: FloatType): LayerCache {
  return {
    append(layer, { k, v, q, positions, rotaryPositions = positions, ...step }, { rotary, base } = {}) {
      for (const x of rotary === 'half' ? [q, k] : []) {
        if (x !== undefined) ropeHalf({ x, positions: rotaryPositions }, { base, out: x });
      }
      using keys = converted(k, stored);
      using values = converted(v, stored);
      cache.append(layer, { ...step, positions, k: keys, v: values });
    },
    attention(layer, { q, ...step }) {
      using queries = converted(q, stored);
      using attended = cache.attention(layer, { ...step, q: queries });
      return converted(attended, dtype);
    },
  };
}

function converted(x: Tensor, dtype: FloatType): Tensor {
  using dense = contiguous(x);
  return cast({ x: dense }, { dtype });
}
