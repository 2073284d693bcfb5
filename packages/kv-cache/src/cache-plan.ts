// How much memory a cache takes, or how many tokens fit in the memory there is. Arithmetic; only a share
// of a device asks anything of one.

import { freeMemory } from '@limen/tensor';

import { invalidArgument, requireCount } from './argument-checks.js';
import { defaultPageSize } from './page-pool.js';
import {
  type CacheDType,
  type CacheFormat,
  cacheFormats,
  defaultPageLayout,
  type PageLayout,
} from './storage-formats.js';

/** What a model keeps for each token. */
export interface ModelShape {
  readonly layers: number;
  /** Heads of keys and values; fewer than the query heads in grouped attention. */
  readonly keyValueHeads: number;
  /** Elements of one key or value vector. */
  readonly headSize: number;
}

/** The same, and how it is stored. */
export interface CacheShape extends ModelShape {
  /** Tokens in a page; default 16. */
  readonly pageSize?: number;
  readonly dtype: CacheDType;
}

/**
 * How much to take: bytes; a share in (0, 1] of some free bytes, or of what a device has free; room for a number of
 * tokens; or pages.
 */
export type CacheBudget =
  | { readonly bytes: number }
  | { readonly share: number; readonly freeBytes?: number; readonly device?: string }
  | { readonly tokens: number }
  | { readonly pages: number };

/** What `planCache` is asked. */
export type CachePlanOptions = CacheBudget & {
  /** Sizes of the model; a model's configuration has them. */
  readonly model: ModelShape;
  /** How keys and values are stored. */
  readonly dtype: CacheDType;
  /** Tokens in a page; default 16. */
  readonly pageSize?: number;
  /** Order of axes inside a page; default `'HND'`. */
  readonly layout?: PageLayout;
};

/** The answer of `planCache`: everything `PagedCache.create` needs but the device, and what it will hold. */
export interface CachePlan extends Required<CacheShape> {
  readonly layout: PageLayout;
  readonly pages: number;
  /** Keys and values of one token over all layers. */
  readonly bytesPerToken: number;
  readonly bytesPerPage: number;
  /** Tokens that fit: `pages · pageSize`. */
  readonly tokens: number;
  /** Bytes the pages take; at most the budget. */
  readonly bytes: number;
}

/**
 * Bytes that one token's keys and values take over all layers.
 *
 * `2 · layers · K · (D · bits / 8 + scale bytes)`
 *
 * @throws {InvalidArgumentError} a size is not a positive whole number, or the dtype is no storage format
 */
export function bytesPerToken(shape: CacheShape): number {
  return checkedBytesPerToken(shape, 'bytesPerToken');
}

/** The same for a caller that errors should name. */
export function checkedBytesPerToken({ layers, keyValueHeads, headSize, dtype }: CacheShape, caller: string): number {
  requireCount(caller, 'layers', layers, 1);
  requireCount(caller, 'keyValueHeads', keyValueHeads, 1);
  requireCount(caller, 'headSize', headSize, 1);
  const format: CacheFormat | undefined = Object.hasOwn(cacheFormats, dtype) ? cacheFormats[dtype] : undefined;
  if (format === undefined) {
    throw invalidArgument({
      caller,
      argument: 'dtype',
      problem: 'is not a storage format',
      expected: Object.keys(cacheFormats).join(' | '),
      got: dtype,
      fix: 'Choose a format from cacheFormats.',
    });
  }
  if ((headSize * format.bitsPerElement) % 8 !== 0) {
    throw invalidArgument({
      caller,
      argument: 'headSize',
      problem: `does not fill whole bytes in ${dtype}`,
      expected: 'an even number',
      got: headSize,
      fix: 'Choose fp8 or int8 for odd head sizes.',
    });
  }
  return 2 * layers * keyValueHeads * ((headSize * format.bitsPerElement) / 8 + format.scaleBytesPerVector);
}

/**
 * Plans a cache: how many pages a budget buys and what they hold.
 *
 * A budget in bytes is rounded down to whole pages; a budget in tokens is rounded up. A share of a device is a share of
 * what it has free at this moment: plan after the weights are loaded, and leave room for activations.
 *
 * @throws {InvalidArgumentError} a size is out of range, the budget buys no page, or there is nothing to take a share of
 * @throws {DeviceNotAvailableError} the device of a share is not there
 *
 * @example
 * const model = { layers: 30, keyValueHeads: 32, headSize: 128 };
 * const plan = planCache({ model, dtype: 'bf16', bytes: 8 * 2 ** 30 });
 * // plan.bytesPerToken 491520, plan.pages 1092, plan.tokens 17472
 * using cache = PagedCache.create({ ...plan, device: 'cuda' });
 */
export function planCache(options: CachePlanOptions): CachePlan {
  const { dtype, pageSize = defaultPageSize, layout = defaultPageLayout } = options;
  const { layers, keyValueHeads, headSize } = options.model;
  const shape = { layers, keyValueHeads, headSize, pageSize, dtype };
  requireCount('planCache', 'pageSize', pageSize, 1);
  const perToken = checkedBytesPerToken(shape, 'planCache');
  const bytesPerPage = perToken * pageSize;
  const pages = pagesOf(options, pageSize, bytesPerPage);
  return {
    ...shape,
    layout,
    pages,
    bytesPerToken: perToken,
    bytesPerPage,
    tokens: pages * pageSize,
    bytes: pages * bytesPerPage,
  };
}

/**
 * Sequences of `length` tokens that fit in a plan at once, when they share nothing.
 * @throws {InvalidArgumentError} `length` is not a positive whole number
 */
export function sequencesThatFit(plan: Pick<CachePlan, 'pages' | 'pageSize'>, length: number): number {
  requireCount('sequencesThatFit', 'length', length, 1);
  return Math.floor(plan.pages / Math.ceil(length / plan.pageSize));
}

function pagesOf(budget: CacheBudget, pageSize: number, bytesPerPage: number): number {
  if ('pages' in budget) {
    requireCount('planCache', 'pages', budget.pages, 1);
    return budget.pages;
  }
  if ('tokens' in budget) {
    requireCount('planCache', 'tokens', budget.tokens, 1);
    return Math.ceil(budget.tokens / pageSize);
  }
  return pagesForBytes('bytes' in budget ? budget.bytes : bytesOfShare(budget), bytesPerPage);
}

function pagesForBytes(bytes: number, bytesPerPage: number): number {
  requireCount('planCache', 'bytes', bytes);
  const pages = Math.floor(bytes / bytesPerPage);
  if (pages > 0) return pages;
  throw invalidArgument({
    caller: 'planCache',
    argument: 'bytes',
    problem: 'buys no page',
    expected: `at least ${bytesPerPage} bytes, one page`,
    got: bytes,
    fix: 'Raise the budget, or use a smaller page or storage format.',
  });
}

function bytesOfShare(budget: Extract<CacheBudget, { readonly share: number }>): number {
  const { share, device, freeBytes = device === undefined ? undefined : freeMemory(device) } = budget;
  if (!(share > 0 && share <= 1)) {
    throw invalidArgument({
      caller: 'planCache',
      argument: 'share',
      problem: 'is out of range',
      expected: 'a number in (0, 1]',
      got: share,
      fix: 'Pass 0.9 to use nine tenths of the free memory.',
    });
  }
  if (freeBytes === undefined) {
    throw invalidArgument({
      caller: 'planCache',
      argument: 'share',
      problem: 'has nothing to be a share of',
      expected: 'device or freeBytes beside it',
      got: `share ${share} alone`,
      fix: "Pass device: 'cuda:0' to ask that device, or freeBytes.",
    });
  }
  requireCount('planCache', 'freeBytes', freeBytes);
  return Math.floor(share * freeBytes);
}
