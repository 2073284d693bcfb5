// How much memory a cache takes, or how many tokens fit in the memory there is. Pure arithmetic.

import { invalidArgument, requireCount } from './argument-checks.js';
import { defaultPageSize } from './page-pool.js';
import { type CacheDType, type CacheFormat, cacheFormats } from './storage-formats.js';

/** The shape of what a model keeps for each token. */
export interface CacheShape {
  readonly layers: number;
  /** Heads of keys and values; fewer than the query heads in grouped attention. */
  readonly keyValueHeads: number;
  /** Elements of one key or value vector. */
  readonly headSize: number;
  /** Tokens in a page; default 16. */
  readonly pageSize?: number;
  readonly dtype: CacheDType;
}

/** How much to take: bytes, a share in (0, 1] of some free bytes, or room for a number of tokens. */
export type CacheBudget =
  { readonly bytes: number } | { readonly share: number; readonly freeBytes: number } | { readonly tokens: number };

/** The answer of `planCache`. */
export interface CachePlan {
  /** Keys and values of one token over all layers. */
  readonly bytesPerToken: number;
  readonly bytesPerPage: number;
  readonly pageSize: number;
  readonly pages: number;
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
 * A budget in bytes is rounded down to whole pages; a budget in tokens is rounded up.
 *
 * @throws {InvalidArgumentError} a size is out of range, or the budget buys no page
 *
 * @example
 * const plan = planCache({ layers: 30, keyValueHeads: 32, headSize: 128, dtype: 'bf16', bytes: 8 * 2 ** 30 });
 * // plan.bytesPerToken 491520, plan.pages 1092, plan.tokens 17472
 */
export function planCache(options: CacheShape & CacheBudget): CachePlan {
  const pageSize = options.pageSize ?? defaultPageSize;
  requireCount('planCache', 'pageSize', pageSize, 1);
  const perToken = checkedBytesPerToken(options, 'planCache');
  const bytesPerPage = perToken * pageSize;
  const pages = 'tokens' in options ? pagesForTokens(options.tokens, pageSize) : pagesForBytes(options, bytesPerPage);
  return {
    bytesPerToken: perToken,
    bytesPerPage,
    pageSize,
    pages,
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

function pagesForTokens(tokens: number, pageSize: number): number {
  requireCount('planCache', 'tokens', tokens, 1);
  return Math.ceil(tokens / pageSize);
}

function pagesForBytes(budget: Exclude<CacheBudget, { readonly tokens: number }>, bytesPerPage: number): number {
  const bytes = 'bytes' in budget ? budget.bytes : bytesOfShare(budget.share, budget.freeBytes);
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

function bytesOfShare(share: number, freeBytes: number): number {
  if (share > 0 && share <= 1) {
    requireCount('planCache', 'freeBytes', freeBytes);
    return Math.floor(share * freeBytes);
  }
  throw invalidArgument({
    caller: 'planCache',
    argument: 'share',
    problem: 'is out of range',
    expected: 'a number in (0, 1]',
    got: share,
    fix: 'Pass 0.9 to use nine tenths of the free memory.',
  });
}
