// How one page, over all layers, lies in host memory and in a file: its parts one after another, each plane by plane.
// Pure arithmetic and byte copies.

import { bytesOf } from '@limen/tensor';

import type { PageMemoryOptions } from '../page-memory.js';
import { type CacheFormat, cacheFormats, type PageLayout, storedHeadSize } from '../storage-formats.js';

/** One kind of memory in an image: the elements, or the scales. `[N, P, K, vector]` or `[N, K, P, vector]`. */
export interface ImagePart {
  /** Where it begins, in bytes from the image's start. */
  readonly offset: number;
  /** Bytes of one vector: one token's elements, or scales, of one head. */
  readonly vectorBytes: number;
  /** Bytes of one plane: `P · K · vectorBytes`. */
  readonly rowBytes: number;
}

/** Geometry of an image. */
export interface PageImage {
  readonly layout: PageLayout;
  /** Tokens that an image has room for. */
  readonly pageSize: number;
  readonly heads: number;
  /** Keys and values of every layer: `2 · layers`. */
  readonly planes: number;
  readonly parts: readonly ImagePart[];
  /** Bytes of the whole image, gaps included. */
  readonly bytes: number;
}

/** What an image follows from. */
export type ImageShape = Pick<
  PageMemoryOptions,
  'layers' | 'keyValueHeads' | 'headSize' | 'pageSize' | 'dtype' | 'layout'
>;

/**
 * Geometry of the image of one page.
 * @param alignment - each part begins at a multiple of this many bytes; 1 leaves no gaps
 */
export function pageImage(shape: ImageShape, alignment: number): PageImage {
  const { layers, keyValueHeads: heads, headSize, pageSize, dtype, layout } = shape;
  const { elementDType, scales }: CacheFormat = cacheFormats[dtype];
  const vectors = [storedHeadSize(dtype, headSize) * bytesOf(elementDType)];
  if (scales !== undefined) vectors.push(scales.count * bytesOf(scales.dtype));
  const planes = 2 * layers;
  let end = 0;
  const parts = vectors.map((vectorBytes) => {
    const rowBytes = pageSize * heads * vectorBytes;
    const offset = end;
    end = Math.ceil((offset + planes * rowBytes) / alignment) * alignment;
    return { offset, vectorBytes, rowBytes };
  });
  return { layout, pageSize, heads, planes, parts, bytes: end };
}

/** Tokens inside an image: bytes, their geometry, and the first slot. */
export interface ImageSlots {
  readonly image: PageImage;
  readonly bytes: Uint8Array;
  readonly slot: number;
}

/** Copies `count` tokens between images of one format, whose page size and layout may differ. */
export function copyTokens(from: ImageSlots, to: ImageSlots, count: number): void {
  const { heads, planes } = from.image;
  from.image.parts.forEach((source, index) => {
    const target = to.image.parts[index];
    if (target === undefined) return;
    const { vectorBytes } = source;
    for (let plane = 0; plane < planes; plane += 1) {
      const sourceRow = source.offset + plane * source.rowBytes;
      const targetRow = target.offset + plane * target.rowBytes;
      for (const [sourceVector, targetVector, vectors] of runs(from, to, heads, count)) {
        const start = sourceRow + sourceVector * vectorBytes;
        const run = from.bytes.subarray(start, start + vectors * vectorBytes);
        to.bytes.set(run, targetRow + targetVector * vectorBytes);
      }
    }
  });
}

/** Runs of vectors that are neighbours in both images: `[first in source, first in target, vectors]` of one plane. */
function* runs(
  from: ImageSlots,
  to: ImageSlots,
  heads: number,
  count: number,
): Generator<readonly [number, number, number]> {
  if (from.image.layout === 'NHD' && to.image.layout === 'NHD') {
    yield [from.slot * heads, to.slot * heads, count * heads];
  } else if (from.image.layout === 'HND' && to.image.layout === 'HND') {
    for (let head = 0; head < heads; head += 1) yield [vectorAt(from, 0, head), vectorAt(to, 0, head), count];
  } else {
    for (let token = 0; token < count; token += 1) {
      for (let head = 0; head < heads; head += 1) yield [vectorAt(from, token, head), vectorAt(to, token, head), 1];
    }
  }
}

function vectorAt({ image, slot }: ImageSlots, token: number, head: number): number {
  const position = slot + token;
  return image.layout === 'NHD' ? position * image.heads + head : head * image.pageSize + position;
}
