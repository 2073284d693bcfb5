// Names for what stands at the beginning of a sequence: one SHA-256 for each full page of tokens, chained, so that equal
// names mean an equal beginning. Pure; it knows neither pages nor a pool.

import { hash } from 'node:crypto';

import { requireCount } from './argument-checks.js';
import { defaultPageSize } from './page-pool.js';
import {
  numberBytes,
  placeImages,
  type PlacedImage,
  type PrefixContent,
  requireTokens,
  textBytes,
} from './prefix-content.js';

/** Whose tokens these are. Beginnings of different origins are never equal. */
export interface PrefixOrigin {
  /** Name of everything that turns tokens into keys and values: model, revision, adapter. */
  readonly model: string;
  /** Secret or name of a tenant whose cache nobody else may share; default: one that all share. */
  readonly salt?: string;
  /** Tokens in a page; default 16. It must be the pool's. */
  readonly pageSize?: number;
}

const digestBytes = 32;

/**
 * The names of a sequence's full pages.
 *
 * The name of page `i` is the SHA-256 of the name of page `i − 1`, the page's token ids, and for each image that stands
 * in the page which part of it does and the SHA-256 of its extents, type, token count and content. Before the first page
 * stands the SHA-256 of model, salt and page size. Every field has a fixed size or is preceded by its length, so that no
 * two different beginnings are hashed from the same bytes.
 *
 * @example
 * const prefix = new PrefixChain({ model: 'janus-pro-7b' }, { tokens: [100000, 5726, 25] });
 * prefix.append({ tokens: [207, 11] });
 */
export class PrefixChain {
  readonly origin: Readonly<Required<PrefixOrigin>>;
  readonly #root: string;
  /** What is hashed for a page, but for its images: the name before, the tokens, the number of images. */
  readonly #scratch: Buffer;
  /** The tokens and the number of images in it. */
  readonly #scratchTokens: Int32Array;
  #tokens: Int32Array;
  #length = 0;
  #keys: string[] = [];
  /** In order of position; they do not overlap. */
  #images: readonly PlacedImage[] = [];

  /**
   * @param origin - whose tokens these are
   * @param content - the first tokens; default none
   * @throws {InvalidArgumentError} the page size is no positive whole number, or as `append`
   */
  constructor({ model, salt = '', pageSize = defaultPageSize }: PrefixOrigin, content?: PrefixContent) {
    requireCount('PrefixChain', 'pageSize', pageSize, 1);
    this.origin = Object.freeze({ model, salt, pageSize });
    const root = [textBytes('limen prefix 1'), textBytes(model), textBytes(salt), numberBytes(pageSize)];
    this.#root = hash('sha256', Buffer.concat(root), 'hex');
    this.#scratch = Buffer.from(new ArrayBuffer(digestBytes + 4 * (pageSize + 1)));
    this.#scratchTokens = new Int32Array(this.#scratch.buffer, digestBytes);
    this.#tokens = new Int32Array(pageSize);
    if (content !== undefined) this.append(content);
  }

  get pageSize(): number {
    return this.origin.pageSize;
  }

  /** Tokens so far. */
  get length(): number {
    return this.#length;
  }

  /** Names of the full pages, in order, as 64 hexadecimal digits. */
  get keys(): readonly string[] {
    return this.#keys;
  }

  /**
   * Goes on with more tokens. An image must be given whole, with all of its tokens.
   * @throws {InvalidArgumentError} a token is no id; an image lies outside the tokens or over another one, or its bytes
   * do not fit its extents. Nothing has changed
   */
  append({ tokens, images = [] }: PrefixContent): void {
    requireTokens(tokens);
    const placed = placeImages(images, tokens.length, this.#length);
    const length = this.#length + tokens.length;
    if (length > this.#tokens.length) {
      const wider = new Int32Array(Math.max(length, 2 * this.#tokens.length));
      wider.set(this.#tokens.subarray(0, this.#length));
      this.#tokens = wider;
    }
    // An element at a time: TypedArray.set is several times slower for plain arrays.
    for (let index = 0; index < tokens.length; index += 1) this.#tokens[this.#length + index] = tokens[index] as number;
    this.#length = length;
    if (placed.length > 0) this.#images = [...this.#images, ...placed];
    this.#nameFullPages();
  }

  /**
   * Forgets every token from position `length` on. An image that this cuts keeps what stands before.
   * @throws {InvalidArgumentError} `length` exceeds the current length
   */
  truncate(length: number): void {
    requireCount('PrefixChain.truncate', 'length', length, 0, this.#length);
    this.#length = length;
    this.#keys.length = Math.min(this.#keys.length, Math.floor(length / this.pageSize));
    this.#images = this.#images
      .filter(({ start }) => start < length)
      .map((image) => ({ ...image, end: Math.min(image.end, length) }));
  }

  /** A chain with the same tokens that goes its own way. */
  fork(): PrefixChain {
    const child = new PrefixChain(this.origin);
    child.#tokens = this.#tokens.slice(0, Math.max(this.#length, this.pageSize));
    child.#length = this.#length;
    child.#keys = [...this.#keys];
    child.#images = this.#images;
    return child;
  }

  #nameFullPages(): void {
    const { pageSize } = this;
    const pages = Math.floor(this.#length / pageSize);
    // Images are in order, so those of the pages before need to be passed only once.
    let image = 0;
    for (let page = this.#keys.length; page < pages; page += 1) {
      const start = page * pageSize;
      this.#scratch.write(this.#keys[page - 1] ?? this.#root, 0, 'hex');
      for (let index = 0; index < pageSize; index += 1) {
        this.#scratchTokens[index] = this.#tokens[start + index] as number;
      }
      while ((this.#images[image]?.end ?? Infinity) <= start) image += 1;
      this.#keys.push(image < this.#images.length ? this.#nameWithImages(image, start) : this.#nameOf([]));
    }
  }

  /** The name of the page that begins at `start` and is in the scratch, where image `first` ends behind `start`. */
  #nameWithImages(first: number, start: number): string {
    const end = start + this.pageSize;
    const inPage: Buffer[] = [];
    for (let index = first; (this.#images[index]?.start ?? Infinity) < end; index += 1) {
      inPage.push(partInPage(this.#images[index] as PlacedImage, start, end));
    }
    return this.#nameOf(inPage);
  }

  #nameOf(images: readonly Buffer[]): string {
    this.#scratchTokens[this.pageSize] = images.length;
    return hash('sha256', images.length === 0 ? this.#scratch : Buffer.concat([this.#scratch, ...images]), 'hex');
  }
}

/** Which tokens of a page an image takes, from which of its own on, and what it is: always as many bytes. */
function partInPage(image: PlacedImage, start: number, end: number): Buffer {
  const [from, to] = [Math.max(image.start, start), Math.min(image.end, end)];
  const numbers = [from - start, to - from, from - image.start].map(numberBytes);
  return Buffer.concat([...numbers, image.digest]);
}
