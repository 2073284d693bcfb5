// How a model keeps keys and values while it generates: the choices, their defaults, and the cache they make.

import {
  bytesPerToken,
  type CacheDType,
  cacheFormats,
  defaultPageSize,
  PagedCache,
  type PageLayout,
} from '@limen/kv-cache';
import { type DType, InvalidArgumentError } from '@limen/tensor';

import type { TextConfig } from '../janus-pro/config-types.js';

/** Storage of keys and values. */
export interface CacheOptions {
  /**
   * Storage format; `'auto'` (default): the type of the model. `'fp8'` and `'int8'` keep about half the bytes of a 16-bit
   * type, `'int4'` about a quarter, each with scales for every vector.
   */
  readonly dtype?: 'auto' | CacheDType;
  /** Order of axes inside a page; default `'HND'`, in which a decode step reads one head's tokens in a row. */
  readonly layout?: PageLayout;
  /** Tokens in a page; default 16. */
  readonly pageSize?: number;
}

/** A complete choice. */
export interface ResolvedCacheOptions {
  readonly dtype: CacheDType;
  readonly layout: PageLayout;
  readonly pageSize: number;
}

/** What decides about a cache: a network has both. */
export interface CachedModel {
  readonly device: string;
  readonly dtype: DType;
  readonly config: { readonly text: TextConfig };
}

const dtypes: readonly unknown[] = ['auto', ...Object.keys(cacheFormats)];
const layouts: readonly unknown[] = ['NHD', 'HND'];

/**
 * Checks a choice before there is a model to make it for.
 *
 * @param caller - named by the error
 * @throws {InvalidArgumentError} an option that does not exist
 */
export function checkCacheOptions(
  caller: string,
  { dtype = 'auto', layout = 'HND', pageSize = 16 }: CacheOptions,
): void {
  const require = (condition: boolean, option: string, expected: string, got: unknown, fix: string) => {
    if (condition) return;
    throw new InvalidArgumentError(
      `${caller}: cache.${option} is not allowed: expected ${expected}, got ${String(got)}. ${fix}`,
      { option: `cache.${option}`, got },
    );
  };
  const one = 'Choose one of these.';
  require(dtypes.includes(dtype), 'dtype', dtypes.join(' | '), dtype, one);
  require(layouts.includes(layout), 'layout', layouts.join(' | '), layout, one);
  require(Number.isInteger(pageSize) && pageSize > 0, 'pageSize', 'a positive integer', pageSize, '16 is usual.');
}

/**
 * Fills in defaults for a model.
 *
 * @throws {InvalidArgumentError} an option that does not exist, or a format that the head size does not fit
 */
export function resolveCacheOptions(
  model: Omit<CachedModel, 'device'>,
  options: CacheOptions = {},
): ResolvedCacheOptions {
  checkCacheOptions('cache options', options);
  const { dtype = 'auto', layout = 'HND', pageSize = defaultPageSize } = options;
  const chosen = dtype === 'auto' ? (model.dtype as CacheDType) : dtype;
  bytesPerToken({ ...shapeOf(model), dtype: chosen });
  return { dtype: chosen, layout, pageSize };
}

/**
 * A cache that holds every prompt and what may follow it.
 *
 * @param lengths - tokens of each prompt
 * @param steps - the most tokens that may follow each
 * @returns the caller disposes it
 */
export function cacheFor(
  model: CachedModel,
  lengths: readonly number[],
  steps: number,
  options: CacheOptions = {},
): PagedCache {
  const resolved = resolveCacheOptions(model, options);
  const pages = lengths.reduce((sum, length) => sum + Math.ceil((length + steps) / resolved.pageSize), 0);
  return PagedCache.create({ ...shapeOf(model), ...resolved, pages, device: model.device });
}

function shapeOf({ config }: Omit<CachedModel, 'device'>) {
  const { layers, keyValueHeads, headSize } = config.text;
  return { layers, keyValueHeads, headSize };
}
