// Public exports of @limen/kv-cache.

export { buildPageTable, noPage, type PageHolder, type PageTable, type PageTableShape } from './page-table.js';
export { bytesPerToken, cacheFormats, planCache, sequencesThatFit } from './cache-plan.js';
export type { CacheBudget, CacheDType, CacheFormat, CachePlan, CacheShape } from './cache-plan.js';
export { CacheSequence } from './cache-sequence.js';
export type { Occupancy } from './occupancy.js';
export { attentionDecodePaged } from './ops/attention-decode-paged.js';
export { kvAppend } from './ops/kv-append.js';
export { PagedCache } from './paged-cache.js';
export type { CacheStatistics, LayerPages, PagedCacheOptions, TableOptions } from './paged-cache.js';
export { defaultPageSize, PagePool, type PagePoolStatistics } from './page-pool.js';
export { SequencePages, type PageChange, type PageCopy, type Slot } from './sequence-pages.js';

export { CacheFullError } from './errors/cache-full-error.js';
export { PageReferenceError } from './errors/page-reference-error.js';
