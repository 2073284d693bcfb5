import { describe, expect, it } from 'vitest';

import { decodeSixels } from '../../testing/decode-sixel.js';
import { RecordingStream, testPicture } from '../../testing/test-pictures.js';
import { comfortable, PictureScreen } from './picture-screen.js';
import { type PictureProtocol } from './picture-protocol.js';

async function shown(protocol: PictureProtocol, ...sizes: readonly number[]) {
  const stream = new RecordingStream({ isTTY: false });
  await new PictureScreen(stream, protocol).show(...sizes.map((size) => testPicture(size, size)));
  return stream.text;
}

describe('a picture on the screen', () => {
  it('has the form of the protocol, and a line of its own', async () => {
    expect(await shown('kitty', 16)).toMatch(/^\u001b_Ga=T,[^]*,s=256,v=256,[^]*\u001b\\\n$/);
    expect(await shown('iterm2', 16)).toMatch(/^\u001b\]1337;File=inline=1;[^]*\u0007\n$/);
    const sixels = await shown('sixel', 64);
    expect(sixels.endsWith('\n')).toBe(true);
    expect(decodeSixels(sixels.trimEnd())).toMatchObject({ width: 256, height: 256 });
    expect((await shown('blocks', 16)).split('\n')).toHaveLength(9);
  });

  it('is not there where the screen shows none', async () => {
    expect(await shown('none', 16)).toBe('');
    expect(await shown('blocks')).toBe('');
  });

  it('is beside the others', async () => {
    expect((await shown('blocks', 16, 16)).split('\n')[0]?.match(/▀/g)).toHaveLength(33);
  });
});

describe('comfortable', () => {
  it('enlarges by whole factors up to 256 pixels, and shrinks to 512', () => {
    const width = (size: number) => comfortable(testPicture(size, 2)).width;
    expect([16, 64, 100, 256, 384, 700].map(width)).toEqual([256, 256, 200, 256, 384, 512]);
  });

  it('heeds the height', () => {
    expect(comfortable(testPicture(2, 64)).height).toBe(256);
  });
});
