// The device side of the cache: page memory for every layer, and the ops that write and read it.

import { type DeviceName, DisposedError, fromArray, type Tensor, write } from '@limen/tensor';

import { requireCount } from './argument-checks.js';
import type { CacheStatistics, PagedCacheOptions, TableOptions } from './cache-options.js';
import { bytesPerToken, checkedBytesPerToken, type CacheShape } from './cache-plan.js';
import { CacheSequence, type PageKeeper } from './cache-sequence.js';
import { measureOccupancy } from './occupancy.js';
import { defaultStagingBytes, HostTier, type PageOwner } from './host-tier/host-tier.js';
import { type SaveOptions, type SequenceFileOptions, SequenceFiles } from './host-tier/sequence-files.js';
import type { SwappedSequence } from './host-tier/swapped-sequence.js';
import {
  type AppendInputs,
  appendToLayer,
  attendToLayer,
  type AttendInputs,
  type AttendOptions,
  type AttentionInputs,
  type RotaryOptions,
  stepLayer,
} from './layer-ops.js';
import { defaultPageSize, PagePool } from './page-pool.js';
import { type LayerPages, PageMemory } from './page-memory.js';
import { buildPageTable } from './page-table.js';
import { PrefixChain, type PrefixOrigin } from './prefix-chain.js';
import type { PrefixContent } from './prefix-content.js';
import { type FindOptions, PrefixIndex } from './prefix-index.js';
import type { PrefixPin } from './prefix-pin.js';
import { SequencePages } from './sequence-pages.js';
import { type CacheDType, defaultPageLayout, type PageLayout } from './storage-formats.js';

/**
 * Keys and values of many sequences in pages of one pool.
 *
 * Its memory is taken once, at creation. Afterwards sequences come and go without allocating, and a step that is given
 * its tables and outputs (`out`) allocates nothing at all.
 *
 * @example
 * using cache = PagedCache.create({ layers: 2, keyValueHeads: 4, headSize: 64, pages: 128, dtype: 'f32' });
 * using sequence = cache.allocateSequence(17);
 * using pageTable = cache.pageTable([sequence]);
 */
export class PagedCache implements Disposable {
  readonly shape: Readonly<Required<CacheShape>>;
  readonly #pool: PagePool;
  readonly #prefixes: PrefixIndex;
  readonly #memory: PageMemory;
  readonly #host: HostTier;
  readonly #files: SequenceFiles;
  readonly #live = new Set<CacheSequence>();
  readonly #keeper: PageKeeper = {
    copyPages: (copies) => this.#memory.copyPages(copies),
    publish: (sequence, prefix) => this.#prefixes.publish(sequence, prefix),
    admit: (sequence) => this.#live.add(sequence),
    dismiss: (sequence) => this.#live.delete(sequence),
  };

  private constructor({
    layers,
    keyValueHeads,
    headSize,
    pageSize = defaultPageSize,
    dtype,
    pages,
    layout = defaultPageLayout,
    device = 'cpu',
    hostBytes = 0,
    stagingBytes = defaultStagingBytes,
  }: PagedCacheOptions) {
    this.shape = Object.freeze({ layers, keyValueHeads, headSize, pageSize, dtype });
    checkedBytesPerToken(this.shape, 'PagedCache.create');
    this.#pool = new PagePool({ pages, pageSize });
    this.#prefixes = new PrefixIndex(this.#pool);
    this.#memory = new PageMemory({ layers, keyValueHeads, headSize, pageSize, pages, dtype, layout, device });
    const owner: PageOwner = {
      memory: this.#memory,
      pool: this.#pool,
      remake: (outline, caller) =>
        new CacheSequence(this.#keeper, SequencePages.fromOutline(this.#pool, outline, caller)),
      owns: (sequence) => this.#live.has(sequence),
      stagingBytes,
    };
    this.#host = new HostTier(owner, hostBytes);
    this.#files = new SequenceFiles(owner);
  }

  /**
   * Makes a cache and takes its memory.
   *
   * @param options.pages - pages over all sequences; every layer has as many
   * @returns the caller disposes it
   * @throws {InvalidArgumentError} a size is not a positive whole number, or the dtype is no storage format
   * @throws {OutOfMemoryError} the device has no room
   */
  static create(options: PagedCacheOptions): PagedCache {
    return new PagedCache(options);
  }

  get device(): DeviceName {
    return this.#memory.device;
  }

  get dtype(): CacheDType {
    return this.shape.dtype;
  }

  get layout(): PageLayout {
    return this.#memory.options.layout;
  }

  /** The memory behind the pages, for transforms and transfers. It stays the cache's: do not dispose it. */
  get memory(): PageMemory {
    return this.#memory;
  }

  /** Pages with nothing worth keeping. */
  get freePages(): number {
    return this.#pool.free;
  }

  /** Pages that can be had now: free ones, and those that hold a prefix which nobody uses or has pinned. */
  get availablePages(): number {
    return this.#pool.available;
  }

  /**
   * A new sequence of `tokens` valid tokens, whose keys and values `append` must still write.
   * @returns the caller releases it
   * @throws {CacheFullError} the pool has too few free and evictable pages
   * @throws {InvalidArgumentError} `tokens` is no count
   * @throws {DisposedError} the cache was disposed
   */
  allocateSequence(tokens: number): CacheSequence {
    this.#requireLive('asked for a sequence');
    return new CacheSequence(this.#keeper, SequencePages.allocate(this.#pool, tokens));
  }

  /**
   * Names for the beginning of a sequence, in pages of this cache; go on with `append` as tokens come.
   *
   * @param origin - the model, and the salt of a tenant whose cache nobody else may share
   * @param content - the first tokens, with the images that stand at some of them; default none
   * @throws {InvalidArgumentError} a token is no id, or an image does not fit
   */
  prefix(origin: Omit<PrefixOrigin, 'pageSize'>, content?: PrefixContent): PrefixChain {
    return new PrefixChain({ ...origin, pageSize: this.shape.pageSize }, content);
  }

  /**
   * A new sequence that shares the pages which hold the beginning of `prefix`. Its `length` says how many tokens they
   * hold, perhaps 0; `append` and compute the others, then `publish`. It takes no page.
   *
   * @param options.leaveLast - leave at least one token to compute; default true
   * @returns the caller releases it
   * @throws {InvalidArgumentError} the prefix has another page size
   * @throws {DisposedError} the cache was disposed
   */
  openSequence(prefix: PrefixChain, options: FindOptions = {}): CacheSequence {
    this.#requireLive('asked for a sequence');
    return new CacheSequence(this.#keeper, this.#prefixes.open(prefix, options));
  }

  /**
   * Tokens of `prefix` that `openSequence` would find now. Takes nothing and counts nothing.
   * @throws {InvalidArgumentError} the prefix has another page size
   */
  reusableTokens(prefix: PrefixChain, options: FindOptions = {}): number {
    return this.#prefixes.find(prefix, options).length * this.shape.pageSize;
  }

  /**
   * Keeps the pages that hold the beginning of `prefix`, for example a system prompt, until the pin is released.
   * @returns the caller releases it
   * @throws {InvalidArgumentError} the prefix has another page size
   * @throws {DisposedError} the cache was disposed
   */
  pin(prefix: PrefixChain): PrefixPin {
    this.#requireLive('asked for a pin');
    return this.#prefixes.pin(prefix);
  }

  /**
   * Forgets every prefix that is not pinned, for example after the model's weights have changed. Sequences keep their
   * pages.
   * @returns pages forgotten
   */
  forgetPrefixes(): number {
    return this.#prefixes.clear();
  }

  /**
   * Where the pages of sequences are, for `append` and `attention`.
   *
   * @param options.rows - default: one for each sequence; ignored with `out`
   * @param options.columns - default: the pages of the longest sequence; ignored with `out`
   * @param options.out - i32 `[B, M]` to overwrite; default: a new tensor that the caller disposes
   * @returns i32 `[B, M]`, −1 where a row has no page
   * @throws {InvalidArgumentError} a sequence does not fit
   */
  pageTable(sequences: readonly CacheSequence[], { out, ...shape }: TableOptions = {}): Tensor {
    const wanted = out === undefined ? shape : { rows: out.extent(0), columns: out.extent(1) };
    const { rows, columns, values } = buildPageTable(sequences, wanted);
    return this.#place(values, [rows, columns], out);
  }

  /**
   * Valid tokens of sequences, for `attention`; rows without a sequence have length 0.
   *
   * @param options.rows - default: one for each sequence; ignored with `out`
   * @param options.out - i32 `[B]` to overwrite; default: a new tensor that the caller disposes
   * @returns i32 `[B]`
   * @throws {InvalidArgumentError} there are more sequences than rows
   */
  lengths(sequences: readonly CacheSequence[], { out, rows: wanted }: Omit<TableOptions, 'columns'> = {}): Tensor {
    const rows = out?.extent(0) ?? wanted ?? sequences.length;
    requireCount('PagedCache.lengths', 'rows', rows, sequences.length);
    const values = new Int32Array(rows);
    values.set(sequences.map(({ length }) => length));
    return this.#place(values, [rows], out);
  }

  /**
   * Writes keys and values of new tokens into their pages, in the cache's storage format.
   *
   * @param layer - index, from 0
   * @param inputs - keys, values and where they go; queries too, to rotate them in the same pass
   * @param options - how queries and keys are rotated; default: not at all
   * @throws {InvalidArgumentError} there is no such layer
   * @throws {ShapeMismatchError} a tensor does not fit the cache
   * @throws {DisposedError} the cache or a tensor was disposed
   *
   * @remarks Capture-safe. Kernels: `kv_append.cu`, `kv_append_quantized.cu`.
   */
  append(layer: number, inputs: AppendInputs, options?: RotaryOptions): void {
    appendToLayer(this.layer(layer), inputs, options);
  }

  /**
   * Attention of one query for each sequence over those of its first `lengths[b]` tokens that it sees.
   *
   * @param layer - index, from 0
   * @param inputs - queries, and the tables that say where the keys are
   * @param options.out - `[B, H, D]`; default: a new tensor that the caller disposes
   * @returns `[B, H, D]`
   * @throws {InvalidArgumentError} there is no such layer
   * @throws {ShapeMismatchError} a tensor does not fit the cache
   * @throws {DisposedError} the cache or a tensor was disposed
   *
   * @remarks Capture-safe. Kernels: `attention_decode_paged.cu`, `attention_decode_quantized.cu`.
   */
  attention(layer: number, inputs: AttentionInputs, options: { readonly out?: Tensor } = {}): Tensor {
    return attendToLayer(this.layer(layer), inputs, options.out);
  }

  /**
   * A decode step: `append` of one token of each sequence and `attention` of its queries, in one launch, or two with
   * `prefixLengths` where sequences share enough. `q` and `k` come as they were projected and stay so.
   *
   * @param layer - index, from 0
   * @param inputs - queries, keys and values of the new tokens, where they go, and the tables that say where the keys are
   * @param options - how queries and keys are rotated (default: not at all), `settledCache`, and `out`
   * @returns `[B, H, D]`
   * @throws {InvalidArgumentError} there is no such layer
   * @throws {ShapeMismatchError} a tensor does not fit the cache
   * @throws {DisposedError} the cache or a tensor was disposed
   *
   * @remarks Capture-safe. Kernels: `attention_append_paged.cu`, `attention_append_quantized.cu`.
   */
  attend(layer: number, inputs: AttendInputs, options?: AttendOptions): Tensor {
    return stepLayer(this.layer(layer), inputs, options);
  }

  /**
   * Page memory of one layer, for ops that read or write pages themselves. It stays the cache's: do not dispose it.
   * @throws {InvalidArgumentError} there is no such layer
   */
  layer(index: number): LayerPages {
    return this.#memory.layer(index);
  }

  /**
   * Page memory of all layers, `[L, G, P, K, E]`, for ops that go through them. It stays the cache's: do not dispose it.
   * @throws {DisposedError} the cache was disposed
   */
  get layers(): LayerPages {
    return this.#memory.layers;
  }

  /** Pages, bytes, waste and reuse at this moment. Takes time in proportion to the pages that sequences hold. */
  statistics(): CacheStatistics {
    const pages = this.#pool.statistics();
    const perToken = bytesPerToken(this.shape);
    const perPage = perToken * this.shape.pageSize;
    return {
      pages,
      bytes: {
        total: pages.total * perPage,
        used: pages.used * perPage,
        cached: pages.cached * perPage,
        perToken,
        perPage,
      },
      ...measureOccupancy(this.#live, this.shape.pageSize),
      prefixes: this.#prefixes.statistics(),
      host: this.#host.statistics(),
    };
  }

  /**
   * Moves a sequence to host memory, beside the work of the ops, and gives its pages back as they leave. The sequence is
   * released at the call. Pages that other sequences hold are copied and stay theirs.
   *
   * @returns when its bytes are in host memory; the caller swaps it in or disposes it
   * @throws {HostBudgetError} `hostBytes` leaves too little; nothing has changed
   * @throws {CaptureViolationError} a capture is under way; nothing has changed
   * @throws {OutOfMemoryError} the device has no room for the two buffers that swaps share; nothing has changed
   * @throws {InvalidArgumentError} the sequence is of another cache
   * @throws {DisposedError} the sequence was released, or the cache disposed
   */
  swapOut(sequence: CacheSequence): Promise<SwappedSequence> {
    return this.#host.swapOut(sequence);
  }

  /**
   * Brings a swapped sequence back, on pages that are free now. It holds the same tokens, with the gaps of its window;
   * it shares no page, and is published anew by `publish`.
   *
   * @returns when its bytes are in their pages; the caller releases it
   * @throws {CacheFullError} too few pages are free and evictable; nothing has changed
   * @throws {CaptureViolationError} a capture is under way; nothing has changed
   * @throws {InvalidArgumentError} `swapped` is not held by this cache
   * @throws {DisposedError} the cache was disposed
   */
  swapIn(swapped: SwappedSequence): Promise<CacheSequence> {
    return this.#host.swapIn(swapped);
  }

  /**
   * Takes the buffers and the host memory for swaps of `bytes` bytes now, rather than with the first swaps: page-locked
   * memory takes the system a while.
   * @param bytes - at most `hostBytes` counts
   */
  reserveHost(bytes: number): void {
    this.#host.reserve(bytes);
  }

  /**
   * Writes the tokens of a sequence to a file, which appears under its name complete or not at all. The sequence stays;
   * it may grow meanwhile, and what it gains is not saved.
   *
   * @returns bytes of keys, values and scales written
   * @throws {CacheFileError} `CACHE_FILE_NOT_WRITTEN`
   * @throws {InvalidArgumentError} the sequence is of another cache, a window has given pages of it back, or the metadata
   * are not strings
   * @throws {CaptureViolationError} a capture is under way
   * @throws {DisposedError} the sequence was released, or the cache disposed
   */
  saveSequence(sequence: CacheSequence, path: string, options: SaveOptions = {}): Promise<number> {
    return this.#files.save(sequence, path, options);
  }

  /**
   * A sequence with the tokens of a file, which a cache of the same model and storage format saved; page size and layout
   * may differ. The file is believed only when its checksum is right.
   *
   * @returns the caller releases it
   * @throws {CacheFileError} the file is not whole, not of this shape, or not to be read; nothing has changed
   * @throws {CacheFullError} too few pages are free and evictable; nothing has changed
   * @throws {CaptureViolationError} a capture is under way
   * @throws {DisposedError} the cache was disposed
   */
  restoreSequence(path: string, options: SequenceFileOptions = {}): Promise<CacheSequence> {
    return this.#files.restore(path, options);
  }

  /** Releases every sequence, held or swapped, then the memory. */
  dispose(): void {
    this.#host[Symbol.dispose]();
    this.#files[Symbol.dispose]();
    for (const sequence of [...this.#live]) sequence.release();
    this.#memory.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #requireLive(use: string): void {
    if (this.#memory.disposed) throw new DisposedError('paged cache', use);
  }

  #place(values: Int32Array, shape: readonly number[], out: Tensor | undefined): Tensor {
    if (out === undefined) return fromArray(values, shape, { dtype: 'i32', device: this.device });
    write(out, values);
    return out;
  }
}
