import { describe, expect, it } from 'vitest';

import { RecordingStream, testPicture } from '../testing/test-pictures.js';
import { DrawingDisplay } from './drawing-display.js';
import { PictureScreen } from './pictures/picture-screen.js';

describe('DrawingDisplay', () => {
  it('shows the picture above the bar, and leaves a line with the time', async () => {
    const stream = new RecordingStream();
    const display = new DrawingDisplay(new PictureScreen(stream, 'blocks'));
    display.reports.onProgress(1, 4);
    await display.reports.onPreview?.([testPicture(16, 16)]);
    expect(stream.text).toMatch(/^\r\u001b\[KDrawing █{6}░{18} 25 %\r\u001b\[K\n{8}\u001b7/);
    stream.text = '';
    display.finish();
    expect(stream.text).toMatch(/^\r\u001b\[8A\u001b\[J\r\u001b\[KDrawing: [\d.]+ s\n$/);
  });

  it('asks for no previews where none can be seen', () => {
    const screen = new PictureScreen(new RecordingStream({ isTTY: false }), 'blocks');
    expect(new DrawingDisplay(screen).reports).not.toHaveProperty('onPreview');
  });

  it('leaves nothing when the drawing failed', async () => {
    const stream = new RecordingStream();
    const display = new DrawingDisplay(new PictureScreen(stream, 'blocks'));
    await display.reports.onPreview?.([testPicture(16, 16)]);
    stream.text = '';
    display.clear();
    expect(stream.text).toBe('\r\u001b[8A\u001b[J\r\u001b[K');
  });
});
