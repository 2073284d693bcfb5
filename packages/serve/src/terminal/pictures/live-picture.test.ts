import { describe, expect, it } from 'vitest';

import { RecordingStream, testPicture } from '../../testing/test-pictures.js';
import { LivePicture } from './live-picture.js';
import type { PictureProtocol } from './picture-protocol.js';
import { PictureScreen } from './picture-screen.js';

async function drawn(protocol: PictureProtocol, versions: number, rows = 24, size = 16) {
  const stream = new RecordingStream({ rows });
  const live = new LivePicture(new PictureScreen(stream, protocol));
  for (let version = 0; version < versions; version++) await live.update([testPicture(size, size)]);
  return { stream, live };
}

describe('LivePicture', () => {
  it('makes its lines free once, then draws above the cursor and comes back', async () => {
    const { stream, live } = await drawn('blocks', 2);
    const [start = '', first = '', second = ''] = stream.text.split('\u001b7');
    expect(start).toBe(`\r\u001b[K${'\n'.repeat(8)}`);
    for (const version of [first, second]) {
      expect(version.startsWith('\r\u001b[8A')).toBe(true);
      expect(version.match(/\n/g)).toHaveLength(7);
      expect(version.endsWith('\u001b8')).toBe(true);
    }
    stream.text = '';
    live.clear();
    live.clear();
    expect(stream.text).toBe('\r\u001b[8A\u001b[J');
  });

  it('replaces a picture of kitty by its number, and takes it away at the end', async () => {
    const { stream, live } = await drawn('kitty', 2);
    expect(stream.text.match(/i=19651,p=1,r=16,C=1/g)).toHaveLength(2);
    stream.text = '';
    live.clear();
    expect(stream.text).toBe('\u001b_Ga=d,d=I,i=19651,q=2\u001b\\\r\u001b[16A\u001b[J');
  });

  it('gives a picture of iTerm2 its height in lines', async () => {
    expect((await drawn('iterm2', 1)).stream.text).toContain(';height=16;');
  });

  it('leaves room for the bar in a low terminal', async () => {
    const { stream } = await drawn('blocks', 1, 12, 64);
    expect(stream.text.startsWith(`\r\u001b[K${'\n'.repeat(10)}\u001b7`)).toBe(true);
    expect((await drawn('kitty', 1, 12)).stream.text).toContain('r=10,');
  });

  it('is not possible without a terminal, by sixels, or in too few lines', async () => {
    const possible = (protocol: PictureProtocol, isTTY: boolean, rows = 24) =>
      new LivePicture(new PictureScreen(new RecordingStream({ isTTY, rows }), protocol)).isPossible;
    expect(possible('blocks', true)).toBe(true);
    expect([possible('blocks', false), possible('sixel', true), possible('none', true)]).toEqual([false, false, false]);
    expect(possible('blocks', true, 5)).toBe(false);
    expect((await drawn('sixel', 1)).stream.text).toBe('');
  });
});
