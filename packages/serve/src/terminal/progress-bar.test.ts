import { describe, expect, it } from 'vitest';

import { ProgressBar } from './progress-bar.js';

function written(isTTY: boolean, columns = 80) {
  let text = '';
  let clock = 0;
  const bar = new ProgressBar('Drawing', {
    stream: { isTTY, columns, write: (part) => (text += part) },
    now: () => clock,
  });
  return { bar, advance: (milliseconds: number) => (clock += milliseconds), text: () => text };
}

describe('ProgressBar', () => {
  it('redraws one line on a terminal, and replaces it at the end', () => {
    const { bar, advance, text } = written(true);
    bar.update(1, 4);
    advance(1000);
    bar.update(2, 4);
    bar.finish();
    expect(text().match(/\r\u001b\[K/g)).toHaveLength(3);
    expect(text()).toContain('██████░░░░░░░░░░░░░░░░░░ 25 %');
    expect(text().endsWith('Drawing: 1.0 s\n')).toBe(true);
  });

  it('does not redraw faster than eyes can follow', () => {
    const { bar, text } = written(true);
    for (let done = 0; done < 1000; done++) bar.update(done, 1000);
    expect(text().match(/\r/g)).toHaveLength(1);
  });

  it('keeps within the width of the terminal', () => {
    const { bar, text } = written(true, 20);
    bar.update(1, 2);
    expect(text().replace('\r\u001b[K', '').length).toBeLessThan(20);
  });

  it('writes plain lines elsewhere, and only for what takes long', () => {
    const { bar, advance, text } = written(false);
    bar.update(1, 4);
    advance(2500);
    bar.update(2, 4);
    bar.update(3, 4);
    bar.finish('janus');
    expect(text()).toBe('Drawing: 50 %\nDrawing janus: 2.5 s\n');
  });

  it('takes an unknown total for no progress', () => {
    const { bar, text } = written(true);
    bar.update(5, 0);
    expect(text()).toContain(' 0 %');
  });
});
