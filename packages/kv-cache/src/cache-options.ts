// What a cache is made from, and what it says about itself.

import type { Tensor } from '@limen/tensor';

import type { CacheShape } from './cache-plan.js';
import type { HostTierStatistics } from './host-tier/host-tier.js';
import type { Occupancy } from './occupancy.js';
import type { PagePoolStatistics } from './page-pool.js';
import type { PageTableShape } from './page-table.js';
import type { PrefixStatistics } from './prefix-index.js';
import type { PageLayout } from './storage-formats.js';

/** What a cache is made of. Sizes as in `planCache`, which turns a memory budget into `pages`. */
export interface PagedCacheOptions extends CacheShape {
  readonly pages: number;
  /** Order of axes inside a page; default `'HND'`, which decode attention reads fastest. */
  readonly layout?: PageLayout;
  /** `'cpu'` (default), `'cuda'`, `'cuda:N'`. */
  readonly device?: string;
  /** Most bytes of host memory that swapped sequences may take; default 0, no swaps. */
  readonly hostBytes?: number;
  /**
   * Device memory of each of the buffers through which pages leave and come back, rounded down to whole pages but at
   * least one; default 32 MiB. Swaps have two of them, files a third.
   */
  readonly stagingBytes?: number;
}

/** Shape of a table, or an i32 tensor of that shape to write it into, such as a static input of a captured step. */
export interface TableOptions extends PageTableShape {
  readonly out?: Tensor;
}

/** A cache at one moment. */
export interface CacheStatistics extends Occupancy {
  readonly pages: PagePoolStatistics;
  readonly bytes: {
    readonly total: number;
    readonly used: number;
    /** Held by pages that no sequence holds but that can be found again. */
    readonly cached: number;
    readonly perToken: number;
    readonly perPage: number;
  };
  /** How much of the sequences opened with a prefix was there already. */
  readonly prefixes: PrefixStatistics;
  /** What was swapped to host memory and back, and what is there now. */
  readonly host: HostTierStatistics;
}
