// The world is the same everywhere, its splits share nothing, and its shapes can be told apart.

import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { heldOutPairs, makeCase, seedRanges, type Split, WorldError } from '../src/index.js';
import { worldSeed } from '../src/world/seeds.js';
import { reachOf } from '../src/world/shapes.js';
import { backgrounds, cellSize, coloursOn, rgbDistance, rgbOfBackground, rgbOfColour } from '../src/world/vocabulary.js';

const splits: readonly Split[] = ['train', 'validation', 'test'];
const seeds = Array.from({ length: 1000 }, (_, seed) => seed);

function digest(split: Split, count: number): string {
  const hash = createHash('sha256');
  for (let seed = 0; seed < count; seed++) {
    const { image, ...texts } = makeCase(split, seed);
    hash.update(image.data).update(JSON.stringify(texts));
  }
  return hash.digest('hex').slice(0, 16);
}

describe('makeCase', () => {
  it('makes the same cases on every machine', () => {
    expect(splits.map((split) => digest(split, 50))).toMatchInlineSnapshot(`
      [
        "dbc0cdb3804a8235",
        "81d17c61da37c25c",
        "9f8cdb4b17957b47",
      ]
    `);
  });

  it('makes different cases of neighbouring seeds', () => {
    for (const split of splits) {
      const pictures = seeds.map((seed) => Buffer.from(makeCase(split, seed).image.data).toString('base64'));
      expect(new Set(pictures).size).toBe(seeds.length);
    }
  });

  it.each([-1, 0.5, NaN, 2 ** 31])('throws WorldError for the seed %s', (seed) => {
    expect(() => makeCase('train', seed)).toThrow(WorldError);
    expect(() => makeCase('train', seed)).toThrow(/seed is not one of train/);
  });

  it('takes the last seed of every split', () => {
    for (const split of splits) expect(makeCase(split, seedRanges[split].count - 1).image.data).toHaveLength(12288);
  });
});

describe('splits', () => {
  it('have seeds in disjoint ranges of 32 bits', () => {
    const ranges = splits.map((split) => [worldSeed(split, 0), worldSeed(split, seedRanges[split].count - 1)]);
    expect(ranges).toEqual([
      [0, 2 ** 31 - 1],
      [2 ** 31, 2 ** 31 + 2 ** 30 - 1],
      [2 ** 31 + 2 ** 30, 2 ** 32 - 1],
    ]);
  });

  it.each(['train', 'validation'] as const)('of %s neither show nor name a held-out combination', (split) => {
    const names = heldOutPairs.map((pair) => pair.join(' '));
    for (const seed of seeds) {
      const { scene, heldOut, ...texts } = makeCase(split, seed);
      expect(heldOut).toBe(false);
      const shown = scene.objects.map(({ colour, kind }) => `${colour} ${kind}`);
      const said = JSON.stringify({ ...texts, image: undefined });
      expect(names.filter((name) => shown.includes(name) || said.includes(name))).toEqual([]);
    }
  });

  it('of test show held-out combinations in a fifth to a third of the cases, and say so', () => {
    const names = new Set(heldOutPairs.map((pair) => pair.join(' ')));
    const marked = seeds.map((seed) => makeCase('test', seed));
    for (const { scene, heldOut } of marked)
      expect(scene.objects.some(({ colour, kind }) => names.has(`${colour} ${kind}`))).toBe(heldOut);
    const share = marked.filter(({ heldOut }) => heldOut).length / seeds.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.34);
  });
});

describe('scenes', () => {
  const scenes = seeds.map((seed) => makeCase('test', seed).scene);

  it('keep shapes apart, inside the picture, and away from the borders of cells', () => {
    for (const { objects } of scenes) {
      for (const [index, { kind, x, y, radius }] of objects.entries()) {
        const reach = radius * reachOf[kind];
        for (const coordinate of [x, y]) {
          expect(coordinate - reach).toBeGreaterThanOrEqual(1);
          expect(coordinate + reach).toBeLessThanOrEqual(63);
          const inCell = coordinate % cellSize;
          expect(Math.min(inCell, cellSize - inCell)).toBeGreaterThanOrEqual(3 - 1e-9);
        }
        for (const other of objects.slice(index + 1))
          expect(Math.hypot(x - other.x, y - other.y) - reach - other.radius * reachOf[other.kind]).toBeGreaterThan(2.4);
      }
    }
  });

  it('have one to four shapes, each as often, in different places and in reading order', () => {
    const counts = [0, 0, 0, 0];
    for (const { objects } of scenes) {
      counts[objects.length - 1] = (counts[objects.length - 1] ?? 0) + 1;
      const order = objects.map(({ x, y }) => Math.floor(y / cellSize) * 3 + Math.floor(x / cellSize));
      expect(order).toEqual([...new Set(order)].sort((left, right) => left - right));
    }
    for (const count of counts) expect(count).toBeGreaterThan(200);
  });

  it('paint every colour so that it stands out from its background and from the others', () => {
    for (const background of backgrounds) {
      for (const colour of coloursOn[background])
        expect(rgbDistance(rgbOfColour[colour], rgbOfBackground[background])).toBeGreaterThan(90);
      expect(coloursOn[background].length).toBe(background === 'dark' ? 9 : 10);
    }
    const paints = Object.values(rgbOfColour);
    for (const [index, paint] of paints.entries())
      for (const other of paints.slice(index + 1)) expect(rgbDistance(paint, other)).toBeGreaterThan(80);
  });
});
