import { loadImage } from '@limen/models-janus';
import { describe, expect, it } from 'vitest';

import { testPicture } from '../../testing/test-pictures.js';
import { iterm2Picture } from './iterm2.js';
import { pngOf } from './picture-screen.js';

const form = /^\u001b\]1337;File=inline=1;size=(\d+)((?:;[\w=]+)*):([A-Za-z0-9+/=]+)\u0007$/;

describe('iterm2Picture', () => {
  it('sends a whole file, which decodes to the picture', async () => {
    const image = testPicture(9, 5);
    const [, size, more, payload = ''] = form.exec(iterm2Picture(await pngOf(image))) ?? [];
    const file = Buffer.from(payload, 'base64');
    expect(Number(size)).toBe(file.length);
    expect(more).toBe('');
    expect([...(await loadImage(file)).data]).toEqual([...image.data]);
  });

  it('fills lines of text in the right proportions, where it is placed', () => {
    const [, , more] = form.exec(iterm2Picture(Uint8Array.of(1, 2, 3), 12)) ?? [];
    expect(more).toBe(';height=12;preserveAspectRatio=1');
  });
});
