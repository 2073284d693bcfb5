// Public exports of @limen/kv-cache.

export { buildPageTable, noPage, type PageHolder, type PageTable, type PageTableShape } from './page-table.js';
export type { CacheStatistics, PagedCacheOptions, TableOptions } from './cache-options.js';
export { bytesPerToken, planCache, sequencesThatFit } from './cache-plan.js';
export type { CacheBudget, CachePlan, CachePlanOptions, CacheShape, ModelShape } from './cache-plan.js';
export { CacheSequence } from './cache-sequence.js';
export type { HostTierStatistics } from './host-tier/host-tier.js';
export { measureSwap, type SwapMeasurement } from './host-tier/measure-swap.js';
export type { SequenceFileHeader } from './host-tier/sequence-file-format.js';
export { describeSequenceFile } from './host-tier/sequence-file-io.js';
export type { SaveOptions, SequenceFileOptions } from './host-tier/sequence-files.js';
export { SwappedSequence, type SwapState } from './host-tier/swapped-sequence.js';
export type { Occupancy } from './occupancy.js';
export { attentionDecodePaged } from './ops/attention-decode-paged.js';
export { gatherPages } from './ops/gather-pages.js';
export { kvAppend } from './ops/kv-append.js';
export { scatterPages } from './ops/scatter-pages.js';
export { PagedCache } from './paged-cache.js';
export { type LayerPages, PageMemory, type PageMemoryOptions } from './page-memory.js';
export { defaultPageSize, PagePool, type PagePoolStatistics, type PageState } from './page-pool.js';
export { PrefixChain, type PrefixOrigin } from './prefix-chain.js';
export type { PrefixContent, PrefixImage } from './prefix-content.js';
export { type FindOptions, PrefixIndex, type PrefixStatistics } from './prefix-index.js';
export { PrefixPin } from './prefix-pin.js';
export { SequencePages, type PageChange, type PageCopy, type SequenceOutline, type Slot } from './sequence-pages.js';
export type { Window } from './window.js';
export { cacheFormats, storedHeadSize } from './storage-formats.js';
export type { CacheDType, CacheFormat, PageLayout, ScaledCacheDType } from './storage-formats.js';

export { CacheFileError, type CacheFileErrorCode } from './errors/cache-file-error.js';
export { CacheFullError } from './errors/cache-full-error.js';
export { HostBudgetError } from './errors/host-budget-error.js';
export { PageReferenceError } from './errors/page-reference-error.js';
