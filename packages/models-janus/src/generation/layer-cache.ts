// A paged cache as a forward pass sees it. A pass computes in the model's type; a cache may keep another float type.

import type { PagedCache } from '@limen/kv-cache';
import { cast, contiguous, type DType, ropeHalf, type Tensor } from '@limen/tensor';

import type { LayerCache } from '../llama/key-value-step.js';

type FloatType = 'f32' | 'f16' | 'bf16';

/** `cache` for passes in type `dtype`: itself, or behind conversions where it keeps another float type. */
export function layerCache(cache: PagedCache, dtype: DType): LayerCache {
  const { dtype: stored } = cache;
  if (stored === dtype) return cache;
  // Formats with scales convert on their own.
  if (stored === 'fp8' || stored === 'int8' || stored === 'int4') return byLayers(cache);
  return convertingCache(cache, stored, dtype as FloatType);
}

/** `cache` without the pages of all layers, which a pass that reads them itself would take for its own type. */
function byLayers(cache: PagedCache): LayerCache {
  return {
    append: (layer, step) => cache.append(layer, step),
    attend: (layer, step, options) => cache.attend(layer, step, options),
  };
}

function convertingCache(cache: PagedCache, stored: FloatType, dtype: FloatType): LayerCache {
  return {
    append(layer, { k, v, ...step }) {
      using keys = converted(k, stored);
      using values = converted(v, stored);
      cache.append(layer, { ...step, k: keys, v: values });
    },
    attend(layer, { q, k, v, positions, rotaryPositions = positions, ...step }, { rotary, base, settledCache }) {
      // Rotated in the model's type, so that the cache's rounds once.
      if (rotary === 'half') for (const x of [q, k]) rotate(x, rotaryPositions, base);
      using queries = converted(q, stored);
      using keys = converted(k, stored);
      using values = converted(v, stored);
      using attended = cache.attend(layer, { ...step, positions, q: queries, k: keys, v: values }, { settledCache });
      return converted(attended, dtype);
    },
  };
}

/** Turns one token of each sequence, `[B, heads, D]`, where it is. */
function rotate(x: Tensor, positions: Tensor, base: number | undefined): void {
  using tokens = x.unsqueeze(1);
  using angles = positions.unsqueeze(1);
  ropeHalf({ x: tokens, positions: angles }, { base, out: tokens });
}

function converted(x: Tensor, dtype: FloatType): Tensor {
  using dense = contiguous(x);
  return cast({ x: dense }, { dtype });
}
