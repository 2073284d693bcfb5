import { inflateSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { testPicture } from '../../testing/test-pictures.js';
import { kittyPicture, kittyRemoval } from './kitty.js';

/** The control data and the payload of every piece; what is not a piece is left over. */
function pieces(bytes: string) {
  const found = [...bytes.matchAll(/\u001b_G([^;\u001b]*);([A-Za-z0-9+/=]*)\u001b\\/g)];
  expect(found.map(([whole]) => whole).join('')).toBe(bytes);
  return found.map(([, control = '', payload = '']) => ({ control, payload }));
}

describe('kittyPicture', () => {
  it('sends the pixels, deflated, which come back as they were', () => {
    const image = testPicture(20, 11);
    const [only, ...rest] = pieces(kittyPicture(image));
    expect(rest).toEqual([]);
    expect(only?.control).toBe('a=T,q=2,f=24,o=z,s=20,v=11,m=0');
    expect([...inflateSync(Buffer.from(only?.payload ?? '', 'base64'))]).toEqual([...image.data]);
  });

  it('cuts what is long into pieces of at most 4096 characters, all but the last of them a multiple of four', () => {
    const image = testPicture(64, 64, 'noise');
    const parts = pieces(kittyPicture(image));
    expect(parts.length).toBeGreaterThan(2);
    for (const { payload } of parts.slice(0, -1)) expect(payload).toHaveLength(4096);
    expect(parts.at(-1)?.payload.length).toBeLessThanOrEqual(4096);
    expect(parts.map(({ control }) => control.replace(/^a=T.*,(?=m)/, ''))).toEqual([
      'm=1',
      ...parts.slice(2).map(() => 'q=2,m=1'),
      'q=2,m=0',
    ]);
    const payload = parts.map((part) => part.payload).join('');
    expect([...inflateSync(Buffer.from(payload, 'base64'))]).toEqual([...image.data]);
  });

  it('fills lines of text and leaves the cursor, where it is placed', () => {
    const [first] = pieces(kittyPicture(testPicture(4, 4), { id: 7, rows: 9 }));
    expect(first?.control).toBe('a=T,q=2,f=24,o=z,s=4,v=4,i=7,p=1,r=9,C=1,m=0');
  });

  it('can be taken away by its number', () => {
    expect(kittyRemoval(7)).toBe('\u001b_Ga=d,d=I,i=7,q=2\u001b\\');
  });
});
