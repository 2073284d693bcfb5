// The reader sees what was painted, also when it is painted badly; the judge finds every kind of mistake.

import { describe, expect, it } from 'vitest';

import { type DrawRequest, judgeDrawing, makeCase, readPicture, WorldError } from '../src/index.js';
import { paintScene } from '../src/world/paint.js';
import { Random } from '../src/world/random.js';
import type { SceneObject } from '../src/world/scene.js';
import { compareReading } from '../tools/compare-reading.js';
import { disturb } from '../tools/disturb.js';

const seeds = Array.from({ length: 150 }, (_, seed) => 100_000 + seed);

describe('readPicture', () => {
  it('reads painted pictures, sizes and background included', () => {
    const wrong = seeds.filter((seed) => {
      const { scene, image } = makeCase('test', seed);
      const { sizesRight, backgroundRight } = compareReading(scene, readPicture(image));
      return !sizesRight || !backgroundRight;
    });
    expect(wrong).toEqual([]);
  });

  it('reads soft and noisy pictures', () => {
    const wrong = seeds.filter((seed) => {
      const { scene, image } = makeCase('test', seed);
      return !compareReading(scene, readPicture(disturb(image, { blur: 0.7, noise: 8 }, seed))).objectsRight;
    });
    expect(wrong.length / seeds.length).toBeLessThanOrEqual(0.03);
  });

  it('finds nothing in an empty picture', () => {
    expect(readPicture(paintScene({ background: 'cream', objects: [] }, new Random(1, 1)))).toEqual({
      background: 'cream',
      objects: [],
    });
  });

  it('takes a bar for no shape', () => {
    const { image } = makeCase('test', 0);
    const data = new Uint8Array(image.data.length).fill(250);
    for (let y = 30; y < 33; y++) for (let x = 6; x < 58; x++) data.set([220, 36, 36], (y * 64 + x) * 3);
    expect(readPicture({ ...image, data }).objects).toMatchObject([{ kind: undefined, colour: 'red', place: 'centre' }]);
  });

  it('throws WorldError for a picture of another size', () => {
    expect(() => readPicture({ width: 32, height: 32, data: new Uint8Array(32 * 32 * 3) })).toThrow(WorldError);
  });
});

describe('judgeDrawing', () => {
  const star: SceneObject = { kind: 'star', colour: 'blue', size: 'large', place: 'top left', x: 17, y: 17, radius: 12, rotation: 0 };
  const ring: SceneObject = { kind: 'ring', colour: 'red', size: 'small', place: 'bottom right', x: 50, y: 52, radius: 6, rotation: 0 };
  const request: DrawRequest = { objects: [ring, star], background: 'white' };
  const draw = (...objects: SceneObject[]) => paintScene({ background: 'white', objects }, new Random(1, 2));

  it('accepts what was asked for, in any order', () => {
    expect(judgeDrawing(draw(star, ring), request)).toMatchObject({
      right: true,
      missing: [],
      extra: [],
      sizesRight: true,
      backgroundRight: true,
    });
  });

  it.each([
    ['another kind', { ...ring, kind: 'circle' }],
    ['another colour', { ...ring, colour: 'green' }],
    ['another place', { ...ring, x: 32, y: 52 }],
  ] as const)('refuses %s', (_, drawn) => {
    const { right, missing, extra } = judgeDrawing(draw(star, drawn), request);
    expect(right).toBe(false);
    expect(missing).toEqual([ring]);
    expect(extra).toHaveLength(1);
  });

  it('refuses a shape too few and a shape too many', () => {
    expect(judgeDrawing(draw(star), request)).toMatchObject({ right: false, missing: [ring], extra: [] });
    const twice = judgeDrawing(draw(star, ring, { ...ring, x: 14, y: 50 }), request);
    expect(twice).toMatchObject({ right: false, missing: [] });
    expect(twice.extra).toHaveLength(1);
  });

  it('allows a centre a third of a cell outside of its place, and no more', () => {
    expect(judgeDrawing(draw(star, { ...ring, x: 37 }), request).right).toBe(true);
    expect(judgeDrawing(draw(star, { ...ring, x: 34 }), request).right).toBe(false);
  });

  it('reports sizes and background apart from the verdict', () => {
    const judged = judgeDrawing(draw(star, { ...ring, radius: 8.6 }), { ...request, background: 'dark' });
    expect(judged).toMatchObject({ right: true, sizesRight: false, backgroundRight: false });
  });

  it('gives twins one place each', () => {
    const twins: DrawRequest = {
      objects: [
        { kind: 'ring', colour: 'red', place: 'centre' },
        { kind: 'ring', colour: 'red', place: 'middle right' },
      ],
    };
    const left = { ...ring, x: 34, y: 32 };
    expect(judgeDrawing(draw(left, { ...ring, x: 49, y: 32 }), twins).right).toBe(true);
    expect(judgeDrawing(draw(left), twins)).toMatchObject({ right: false, missing: [twins.objects[1]] });
  });
});
