// Public exports of @limen/kv-cache.

export { buildPageTable, noPage, type PageHolder, type PageTable, type PageTableShape } from './page-table.js';
export { bytesPerToken, planCache, sequencesThatFit } from './cache-plan.js';
export type { CacheBudget, CachePlan, CachePlanOptions, CacheShape, ModelShape } from './cache-plan.js';
export { CacheSequence } from './cache-sequence.js';
export type { Occupancy } from './occupancy.js';
export { attentionDecodePaged } from './ops/attention-decode-paged.js';
export { kvAppend } from './ops/kv-append.js';
export { PagedCache } from './paged-cache.js';
export type { CacheStatistics, PagedCacheOptions, TableOptions } from './paged-cache.js';
export { type LayerPages, PageMemory, type PageMemoryOptions } from './page-memory.js';
export { defaultPageSize, PagePool, type PagePoolStatistics, type PageState } from './page-pool.js';
export { PrefixChain, type PrefixOrigin } from './prefix-chain.js';
export type { PrefixContent, PrefixImage } from './prefix-content.js';
export { type FindOptions, PrefixIndex, type PrefixStatistics } from './prefix-index.js';
export { PrefixPin } from './prefix-pin.js';
export { SequencePages, type PageChange, type PageCopy, type Slot } from './sequence-pages.js';
export type { Window } from './window.js';
export { cacheFormats, storedHeadSize } from './storage-formats.js';
export type { CacheDType, CacheFormat, PageLayout, ScaledCacheDType } from './storage-formats.js';

export { CacheFullError } from './errors/cache-full-error.js';
export { PageReferenceError } from './errors/page-reference-error.js';
