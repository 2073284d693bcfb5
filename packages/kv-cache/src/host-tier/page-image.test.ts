// Images of pages: where every byte of a token lies, and that tokens keep their bytes across page sizes and layouts.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { bytesPerToken } from '../cache-plan.js';
import { type CacheDType, cacheFormats, type PageLayout } from '../storage-formats.js';
import { copyTokens, type PageImage, pageImage } from './page-image.js';

const formats = Object.keys(cacheFormats) as CacheDType[];
const layouts: readonly PageLayout[] = ['NHD', 'HND'];

/** Every byte offset of one token, in order of part, plane, head and byte. */
function offsetsOf(image: PageImage, slot: number): number[] {
  const { heads, pageSize, planes, parts, layout } = image;
  return parts.flatMap(({ offset, vectorBytes, rowBytes }) =>
    Array.from({ length: planes * heads * vectorBytes }, (_, index) => {
      const plane = Math.floor(index / (heads * vectorBytes));
      const head = Math.floor(index / vectorBytes) % heads;
      const vector = layout === 'NHD' ? slot * heads + head : head * pageSize + slot;
      return offset + plane * rowBytes + vector * vectorBytes + (index % vectorBytes);
    }),
  );
}

describe('pageImage', () => {
  it('takes a token as many bytes as the plan says, and each byte once', () => {
    for (const dtype of formats) {
      for (const layout of layouts) {
        const shape = { layers: 2, keyValueHeads: 3, headSize: 10, pageSize: 5, dtype, layout };
        const image = pageImage(shape, 1);
        expect(image.bytes).toBe(5 * bytesPerToken(shape));
        const all = [0, 1, 2, 3, 4].flatMap((slot) => offsetsOf(image, slot)).sort((a, b) => a - b);
        expect(all).toEqual(Array.from({ length: image.bytes }, (_, index) => index));
      }
    }
  });

  it('begins parts and images at multiples of the alignment', () => {
    const shape = { layers: 1, keyValueHeads: 1, headSize: 3, pageSize: 3, dtype: 'int8', layout: 'NHD' } as const;
    expect(pageImage(shape, 16)).toMatchObject({
      parts: [
        { offset: 0, rowBytes: 9, vectorBytes: 3 },
        { offset: 32, rowBytes: 12, vectorBytes: 4 },
      ],
      bytes: 64,
    });
    expect(pageImage(shape, 1)).toMatchObject({ parts: [{ offset: 0 }, { offset: 18 }], bytes: 42 });
  });
});

describe('copyTokens', () => {
  it('keeps every byte of the tokens and touches no other, between any two images of a format', () => {
    const geometry = fc.record({
      pageSize: fc.integer({ min: 1, max: 6 }),
      layout: fc.constantFrom(...layouts),
      alignment: fc.constantFrom(1, 16),
    });
    const sizes = fc.record({
      dtype: fc.constantFrom(...formats),
      layers: fc.integer({ min: 1, max: 2 }),
      keyValueHeads: fc.integer({ min: 1, max: 3 }),
      headSize: fc.constantFrom(2, 6, 8),
    });
    const property = fc.property(sizes, geometry, geometry, fc.nat(), fc.nat(), fc.nat(), (shape, a, b, x, y, z) => {
      const from = pageImage({ ...shape, ...a }, a.alignment);
      const to = pageImage({ ...shape, ...b }, b.alignment);
      const count = 1 + (z % Math.min(a.pageSize, b.pageSize));
      const [source, target] = [x % (a.pageSize - count + 1), y % (b.pageSize - count + 1)];
      const bytes = Uint8Array.from({ length: from.bytes }, (_, index) => 1 + (index % 251));
      const result = new Uint8Array(to.bytes);
      copyTokens({ image: from, bytes, slot: source }, { image: to, bytes: result, slot: target }, count);
      const expected = new Uint8Array(to.bytes);
      for (let token = 0; token < count; token += 1) {
        const places = offsetsOf(to, target + token);
        offsetsOf(from, source + token).forEach((place, index) => (expected[places[index] ?? -1] = bytes[place] ?? 0));
      }
      expect(Buffer.compare(result, expected)).toBe(0);
    });
    fc.assert(property, { seed: 5, numRuns: 1000 });
  });
});
