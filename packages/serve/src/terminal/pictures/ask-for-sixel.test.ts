import { EventEmitter } from 'node:events';

import { describe, expect, it } from 'vitest';

import { showsSixels } from './ask-for-sixel.js';

/** A terminal that answers a question with given parts, or not at all. */
class AnsweringTerminal extends EventEmitter {
  readonly isTTY = true;
  isRaw = false;
  asked = '';
  readonly log: string[] = [];
  readonly #parts: readonly string[];

  constructor(...parts: readonly string[]) {
    super();
    this.#parts = parts;
  }

  setRawMode(raw: boolean): void {
    this.isRaw = raw;
    this.log.push(raw ? 'raw' : 'cooked');
  }

  resume(): void {
    this.log.push('resume');
  }

  pause(): void {
    this.log.push('pause');
  }

  write(text: string): void {
    this.asked += text;
    for (const part of this.#parts) setImmediate(() => this.emit('data', Buffer.from(part)));
  }
}

async function ask(...parts: readonly string[]) {
  const terminal = new AnsweringTerminal(...parts);
  return { terminal, answer: await showsSixels(terminal, terminal, 20) };
}

describe('showsSixels', () => {
  it('asks once and looks for the number 4', async () => {
    const { terminal, answer } = await ask('\u001b[?62;4;22c');
    expect(answer).toBe(true);
    expect(terminal.asked).toBe('\u001b[c');
    expect((await ask('\u001b[?64;14;42c')).answer).toBe(false);
  });

  it('puts an answer in parts together', async () => {
    expect((await ask('\u001b[?6', '2;4', 'c')).answer).toBe(true);
  });

  it('waits for no answer for ever', async () => {
    expect((await ask()).answer).toBe(false);
  });

  it('leaves the terminal as it was', async () => {
    const { terminal } = await ask('\u001b[?4c');
    expect(terminal.log).toEqual(['raw', 'resume', 'pause', 'cooked']);
    expect(terminal.listenerCount('data')).toBe(0);
  });

  it('asks nothing where there is nobody to answer', async () => {
    const terminal = Object.assign(new AnsweringTerminal(), { isTTY: false });
    expect(await showsSixels(terminal, terminal)).toBe(false);
    expect(terminal.asked).toBe('');
  });
});
