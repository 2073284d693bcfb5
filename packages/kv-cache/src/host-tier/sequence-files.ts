// Saves sequences to files and restores them, page by page: what is in memory is one piece, never the whole sequence.

import { allocateHostBuffer, DisposedError, type HostBuffer, requireNoCapture } from '@limen/tensor';

import { invalidArgument } from '../argument-checks.js';
import { bytesPerToken } from '../cache-plan.js';
import type { CacheSequence } from '../cache-sequence.js';
import { noPage } from '../page-table.js';
import { nothingReleased } from '../window.js';
import type { HostRun } from './host-arena.js';
import { imageAlignment, type PageOwner, pagesAtOnce, requireOwn } from './host-tier.js';
import { copyTokens, type PageImage, pageImage } from './page-image.js';
import { PageLane } from './page-lane.js';
import { encodeHeader, requireSameShape, sequenceFileLimits } from './sequence-file-format.js';
import { SequenceFileReader, SequenceFileWriter } from './sequence-file-io.js';

/** How a file is written or read. */
export interface SequenceFileOptions {
  /** Told of the bytes done so far and of all there are to do. A file is read twice: first to see whether it is whole. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the work between two pieces: a file appears complete or not at all, and the cache is as before. */
  readonly signal?: AbortSignal;
}

/** How a file is written. */
export interface SaveOptions extends SequenceFileOptions {
  /** Kept with the tokens, for example which model and which prompt they are of. `describeSequenceFile` shows it. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The lane and the piece of host memory that files share; taken with the first file. */
interface Desk {
  readonly lane: PageLane;
  readonly images: HostBuffer;
  readonly numbers: HostBuffer;
}

/** The files of one cache; they take turns. */
export class SequenceFiles implements Disposable {
  readonly #owner: PageOwner;
  readonly #image: PageImage;
  #desk: Desk | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isBusy = false;
  #disposed = false;

  constructor(owner: PageOwner) {
    this.#owner = owner;
    this.#image = pageImage(owner.memory.options, imageAlignment);
  }

  /** See `PagedCache.saveSequence`. */
  async save(sequence: CacheSequence, path: string, options: SaveOptions = {}): Promise<number> {
    const caller = 'PagedCache.saveSequence';
    this.#requireReady();
    requireOwn(this.#owner, sequence, caller);
    const { length: tokens, held } = sequence.outline();
    const pages = sequence.pages.slice(0, held.length);
    if (pages.includes(noPage)) {
      throw invalidArgument({
        caller,
        argument: 'sequence',
        problem: 'has gaps',
        expected: 'every page of its tokens',
        got: 'one that a window has given pages back of',
        fix: 'Save it before releaseOutside(), or swap it out.',
      });
    }
    const header = this.#header(tokens, options.metadata ?? {}, caller);
    const { pool } = this.#owner;
    for (const page of pages) pool.retain(page);
    try {
      return await this.#inTurn(() => this.#write(path, header, pages, tokens, options));
    } finally {
      for (const page of pages) pool.release(page);
    }
  }

  /** See `PagedCache.restoreSequence`. */
  async restore(path: string, options: SequenceFileOptions = {}): Promise<CacheSequence> {
    this.#requireReady();
    return this.#inTurn(async () => {
      const reader = await SequenceFileReader.open(path);
      try {
        return await this.#read(reader, path, options);
      } finally {
        await reader.close();
      }
    });
  }

  /** Files under way fail. The pages may be given back at once. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    if (this.#isBusy) this.#desk?.lane.stream.holdOps();
    this.#disposed = true;
    this.#desk?.lane[Symbol.dispose]();
    if (!this.#isBusy) this.#clearDesk();
  }

  async #write(
    path: string,
    header: Uint8Array,
    pages: readonly number[],
    tokens: number,
    { onProgress, signal }: SaveOptions,
  ): Promise<number> {
    signal?.throwIfAborted();
    const { pageSize } = this.#image;
    const total = tokens * bytesPerToken(this.#owner.memory.options);
    const desk = this.#openDesk();
    const writer = await SequenceFileWriter.create(path);
    try {
      await writer.write(header);
      let done = 0;
      for (let first = 0; first < pages.length; first += desk.lane.pagesAtOnce) {
        const run = this.#runOf(desk, pages.slice(first, first + desk.lane.pagesAtOnce));
        desk.lane.stream.followOps();
        await desk.lane.collect([run]);
        for (let index = 0; index < run.count; index += 1) {
          const count = Math.min(pageSize, tokens - (first + index) * pageSize);
          const packed = this.#packed(run.images, index, count);
          await writer.write(packed);
          this.#requireReady();
          signal?.throwIfAborted();
          done += packed.byteLength;
          onProgress?.(done, total);
        }
      }
      await writer.finish();
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    return total;
  }

  async #read(
    reader: SequenceFileReader,
    path: string,
    { onProgress, signal }: SequenceFileOptions,
  ): Promise<CacheSequence> {
    const { header } = reader;
    const { options } = this.#owner.memory;
    requireSameShape(header, options, path);
    const total = 2 * header.payloadBytes;
    await reader.verify((done) => {
      signal?.throwIfAborted();
      onProgress?.(done, total);
    });
    this.#requireReady();
    const desk = this.#openDesk();
    const { tokens: length } = header;
    const held = new Array<boolean>(Math.ceil(length / options.pageSize)).fill(true);
    const sequence = this.#owner.remake({ length, held, window: nothingReleased }, 'PagedCache.restoreSequence');
    try {
      await reader.rewind();
      await this.#fill(reader, desk, sequence.pages, (done) => {
        this.#requireReady();
        signal?.throwIfAborted();
        onProgress?.(header.payloadBytes + done, total);
      });
      await reader.finish();
      this.#requireReady();
      return sequence;
    } catch (error) {
      sequence.release();
      throw error;
    }
  }

  /** Reads the file's pages and spreads their tokens over the pages of this cache, which may be of another size. */
  async #fill(
    reader: SequenceFileReader,
    desk: Desk,
    pages: readonly number[],
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const { tokens, pageSize, layout } = reader.header;
    const target = this.#image;
    const { pagesAtOnce: size } = desk.lane;
    desk.lane.stream.followOps();
    let [piece, done] = [0, 0];
    const images = desk.images.bytes.fill(0);
    const spread = async () => {
      await desk.lane.spread([this.#runOf(desk, pages.slice(piece * size, (piece + 1) * size))]);
      piece += 1;
      images.fill(0); // slots past the last token hold nothing that was read before
    };
    for (let first = 0; first < tokens; first += pageSize) {
      const present = Math.min(pageSize, tokens - first);
      const source = pageImage({ ...this.#owner.memory.options, pageSize: present, layout }, 1);
      const bytes = new Uint8Array(source.bytes);
      await reader.read(bytes);
      for (let slot = 0; slot < present;) {
        const token = first + slot;
        const page = Math.floor(token / target.pageSize) - piece * size;
        if (page === size) {
          await spread();
          continue;
        }
        const place = token % target.pageSize;
        const count = Math.min(present - slot, target.pageSize - place);
        const image = images.subarray(page * target.bytes, (page + 1) * target.bytes);
        copyTokens({ image: source, bytes, slot }, { image: target, bytes: image, slot: place }, count);
        slot += count;
      }
      done += bytes.byteLength;
      onBytes(done);
    }
    if (tokens > 0) await spread();
  }

  /** The first `count` tokens of an image, without gaps: what a file holds of it. */
  #packed(images: Uint8Array, index: number, count: number): Uint8Array {
    const image = this.#image;
    const bytes = images.subarray(index * image.bytes, (index + 1) * image.bytes);
    const packed = pageImage({ ...this.#owner.memory.options, pageSize: count }, 1);
    if (packed.bytes === image.bytes) return bytes;
    const target = new Uint8Array(packed.bytes);
    copyTokens({ image, bytes, slot: 0 }, { image: packed, bytes: target, slot: 0 }, count);
    return target;
  }

  #header(tokens: number, metadata: Readonly<Record<string, string>>, caller: string): Uint8Array {
    const { dtype, layers, keyValueHeads, headSize, pageSize, layout } = this.#owner.memory.options;
    const payloadBytes = tokens * bytesPerToken(this.#owner.memory.options);
    const shape = { dtype, layers, keyValueHeads, headSize, pageSize, layout };
    const isText = Object.values(metadata).every((text) => typeof text === 'string');
    const header = isText ? encodeHeader({ ...shape, tokens, payloadBytes, metadata }) : undefined;
    if (header !== undefined) return header;
    throw invalidArgument({
      caller,
      argument: 'metadata',
      problem: 'cannot be stored',
      expected: `strings of at most ${sequenceFileLimits.headerBytes} bytes in all`,
      got: isText ? 'more' : 'another type',
      fix: 'Keep large or structured data elsewhere, and its name here.',
    });
  }

  #runOf({ images, numbers }: Desk, pages: readonly number[]): HostRun {
    const run = {
      count: pages.length,
      images: images.bytes.subarray(0, pages.length * this.#image.bytes),
      numbers: numbers.bytes.subarray(0, 4 * pages.length),
    };
    new Int32Array(run.numbers.buffer, run.numbers.byteOffset, run.count).set(pages);
    return run;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const turn = before.then(async () => {
      this.#requireReady();
      this.#isBusy = true;
      try {
        return await work();
      } finally {
        this.#isBusy = false;
        if (this.#disposed) this.#clearDesk();
      }
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #openDesk(): Desk {
    if (this.#desk !== undefined) return this.#desk;
    const { memory } = this.#owner;
    const pages = pagesAtOnce(this.#owner);
    const lane = new PageLane(memory, this.#image, pages);
    try {
      const images = allocateHostBuffer(memory.device, pages * this.#image.bytes);
      this.#desk = { lane, images, numbers: allocateHostBuffer(memory.device, 4 * pages) };
    } catch (error) {
      lane[Symbol.dispose]();
      throw error;
    }
    return this.#desk;
  }

  #clearDesk(): void {
    this.#desk?.images[Symbol.dispose]();
    this.#desk?.numbers[Symbol.dispose]();
    this.#desk = undefined;
  }

  #requireReady(): void {
    if (this.#disposed) throw new DisposedError('paged cache', 'asked for a sequence file');
    requireNoCapture(this.#owner.memory.device, 'moving a sequence between cache and file');
  }
}
