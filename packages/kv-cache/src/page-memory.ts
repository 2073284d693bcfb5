// The memory behind the page numbers: keys, values and their scales for every layer, in one storage format and layout.

import { copy, type DeviceName, DisposedError, type Tensor, zeros } from '@limen/tensor';

import { invalidArgument } from './argument-checks.js';
import type { PageCopy } from './sequence-pages.js';
import { type CacheDType, type CacheFormat, cacheFormats, type PageLayout, storedHeadSize } from './storage-formats.js';

/** Page memory of one layer, as ops see it: `[G, P, K, E]` in either layout, `E` the stored head size. */
export interface LayerPages {
  readonly keys: Tensor;
  readonly values: Tensor;
  /** `[G, P, K, S]`, for formats that have scales. */
  readonly keyScales?: Tensor;
  readonly valueScales?: Tensor;
}

/** What page memory is made of. */
export interface PageMemoryOptions {
  readonly layers: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly pageSize: number;
  readonly pages: number;
  readonly dtype: CacheDType;
  readonly layout: PageLayout;
  readonly device: string;
}

/** One kind of memory: the elements, or the scales. */
interface Part {
  /** `[L, 2, G, P, K, X]` or `[L, 2, G, K, P, X]`, contiguous. */
  readonly physical: Tensor;
  /** `[L, 2, G, P, K, X]` in either layout. */
  readonly logical: Tensor;
}

/**
 * Keys and values of all layers in `pages` pages.
 *
 * The order of axes keeps a page's bytes of one layer together and puts the page behind layer and kind, so that one
 * strided copy moves a page over all layers.
 */
export class PageMemory implements Disposable {
  readonly options: PageMemoryOptions;
  readonly #parts: readonly Part[];
  readonly #layers: readonly LayerPages[];
  readonly #all: LayerPages;

  /** @throws {OutOfMemoryError} the device has no room */
  constructor(options: PageMemoryOptions) {
    this.options = options;
    const { dtype, headSize } = options;
    const format: CacheFormat = cacheFormats[dtype];
    const parts: Part[] = [];
    try {
      parts.push(this.#allocate(format.elementDType, storedHeadSize(dtype, headSize)));
      if (format.scales !== undefined) parts.push(this.#allocate(format.scales.dtype, format.scales.count));
    } catch (error) {
      parts.forEach(disposePart);
      throw error;
    }
    this.#parts = parts;
    this.#layers = Array.from({ length: options.layers }, (_, layer) => this.#viewLayer(layer));
    this.#all = this.#viewKinds((part, kind) => {
      using ofKind = part.logical.slice(1, kind, kind + 1);
      return ofKind.squeeze(1);
    });
  }

  /**
   * Views of all layers, `[L, G, P, K, E]` and `[L, G, P, K, S]`, for ops that go through them; they stay this object's.
   * @throws {DisposedError} the memory was given back
   */
  get layers(): LayerPages {
    if (this.disposed) throw new DisposedError('paged cache', 'asked for its layers');
    return this.#all;
  }

  get device(): DeviceName {
    return (this.#parts[0] as Part).physical.device;
  }

  get disposed(): boolean {
    return (this.#parts[0] as Part).physical.disposed;
  }

  /**
   * The memory as it lies: elements `[L, 2, G, P, K, E]` (`NHD`) or `[L, 2, G, K, P, E]` (`HND`), then the scales in the
   * same order of axes where the format has them. Contiguous; it stays this object's.
   */
  get parts(): readonly Tensor[] {
    return this.#parts.map(({ physical }) => physical);
  }

  /**
   * Views of one layer; they stay this object's.
   * @throws {InvalidArgumentError} there is no such layer
   * @throws {DisposedError} the memory was given back
   */
  layer(index: number): LayerPages {
    if (this.disposed) throw new DisposedError('paged cache', 'asked for a layer');
    const found = this.#layers[index];
    if (found !== undefined) return found;
    throw invalidArgument({
      caller: 'PagedCache.layer',
      argument: 'index',
      problem: 'is out of range',
      expected: `a whole number in [0, ${this.options.layers - 1}]`,
      got: index,
      fix: 'Create the cache with as many layers as the model has.',
    });
  }

  /** Copies the first slots of pages over all layers, in order with the ops before and after. */
  copyPages(copies: readonly PageCopy[]): void {
    for (const { from, to, tokens } of copies) {
      for (const { logical } of this.#parts) {
        using source = firstSlots(logical, from, tokens);
        using target = firstSlots(logical, to, tokens);
        copy({ x: source }, { out: target });
      }
    }
  }

  dispose(): void {
    for (const layer of [...this.#layers, this.#all]) {
      for (const view of Object.values(layer) as (Tensor | undefined)[]) view?.dispose();
    }
    this.#parts.forEach(disposePart);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #allocate(dtype: CacheFormat['elementDType'], width: number): Part {
    const { layers, pages, pageSize, keyValueHeads, layout, device } = this.options;
    const [outer, inner] = layout === 'NHD' ? [pageSize, keyValueHeads] : [keyValueHeads, pageSize];
    // Zeros rather than whatever was there: a slot that is read before it is written must not turn a result into NaN.
    const physical = zeros([layers, 2, pages, outer, inner, width], { dtype, device });
    return { physical, logical: layout === 'NHD' ? physical.clone() : physical.transpose(3, 4) };
  }

  #viewLayer(layer: number): LayerPages {
    return this.#viewKinds((part, kind) => {
      using ofLayer = part.logical.slice(0, layer, layer + 1);
      using withoutLayer = ofLayer.squeeze(0);
      using ofKind = withoutLayer.slice(0, kind, kind + 1);
      return ofKind.squeeze(0);
    });
  }

  /** Keys and values, and their scales where there are any. */
  #viewKinds(view: (part: Part, kind: 0 | 1) => Tensor): LayerPages {
    const [elements, scales] = this.#parts as [Part, Part?];
    const stored = { keys: view(elements, 0), values: view(elements, 1) };
    return scales === undefined ? stored : { ...stored, keyScales: view(scales, 0), valueScales: view(scales, 1) };
  }
}

/** The first `tokens` slots of a page in every layer: `[L, 2, 1, tokens, K, X]`. */
function firstSlots(memory: Tensor, page: number, tokens: number): Tensor {
  using ofPage = memory.slice(2, page, page + 1);
  return ofPage.slice(3, 0, tokens);
}

function disposePart({ physical, logical }: Part): void {
  logical.dispose();
  physical.dispose();
}
