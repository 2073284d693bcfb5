import { describe, expect, it } from 'vitest';

import { EngineClosedError } from '../errors/engine-closed-error.js';
import { QueueFullError } from '../errors/queue-full-error.js';
import { FakeModel, gate, nextTurn, until } from '../testing/fake-model.js';
import type { DrawEvent } from './engine.js';
import { SequentialEngine } from './sequential-engine.js';

const hello = { messages: [{ role: 'user' as const, content: 'hello' }] };

async function textOf(chunks: AsyncIterable<{ readonly text: string }>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.text;
  return text;
}

describe('SequentialEngine', () => {
  it('streams what the model says', async () => {
    await using engine = new SequentialEngine(new FakeModel());
    expect(await textOf(engine.chat(hello))).toBe('A cat on a mat.');
  });

  it('tells of progress, shows the previews asked for, then the pictures', async () => {
    const model = new FakeModel();
    await using engine = new SequentialEngine(model);
    const events: DrawEvent[] = [];
    for await (const event of engine.draw({ prompt: 'a cat', count: 2, previews: 3 })) events.push(event);
    const previews = events.filter((event) => event.type === 'preview');
    expect(previews.map(({ index }) => index)).toEqual([0, 1, 2]);
    // So that the model decodes no more previews than are sent: 3 of 8 codes.
    expect(model.drawings[0]?.[1].previewEvery).toBe(2);
    expect(events.filter(({ type }) => type === 'progress')).toHaveLength(8);
    const last = events.at(-1);
    expect(last?.type === 'finished' && last.images.length).toBe(2);
  });

  it('asks for no previews when nobody wants them', async () => {
    const model = new FakeModel();
    await using engine = new SequentialEngine(model);
    const types = new Set<string>();
    for await (const { type } of engine.draw({ prompt: 'a cat' })) types.add(type);
    expect([...types]).toEqual(['progress', 'finished']);
    expect(model.drawings[0]?.[1]).not.toHaveProperty('onPreview');
  });

  it('cancels the job whose reader leaves the loop', async () => {
    const model = new FakeModel();
    await using engine = new SequentialEngine(model);
    for await (const chunk of engine.chat(hello)) if (chunk.usage.completionTokens === 2) break;
    await until(() => engine.statistics.running === 0);
    expect(model.aborted).toBe(1);
    expect(engine.statistics).toMatchObject({ cancelled: 1, running: 0 });
  });

  it('cancels a waiting job whose reader leaves before it starts', async () => {
    const { opened, open } = gate();
    const model = new FakeModel({ pace: () => opened });
    await using engine = new SequentialEngine(model);
    const running = textOf(engine.chat(hello));
    const waiting = engine.chat(hello);
    await waiting.return?.();
    await nextTurn();
    expect(engine.statistics).toMatchObject({ waiting: 0, cancelled: 1 });
    open();
    expect(await running).toBe('A cat on a mat.');
    expect(model.chats).toHaveLength(1);
  });

  it('is not held up by a reader that does not read', async () => {
    await using engine = new SequentialEngine(new FakeModel());
    const unread = engine.chat(hello);
    expect(await textOf(engine.chat(hello))).toBe('A cat on a mat.');
    expect(await textOf(unread)).toBe('A cat on a mat.');
  });

  it('passes a failure to its own reader, after what came before it', async () => {
    const model = new FakeModel({ failure: { at: 2, error: new RangeError('broken') } });
    await using engine = new SequentialEngine(model);
    const texts: string[] = [];
    const reading = (async () => {
      for await (const { text } of engine.chat(hello)) texts.push(text);
    })();
    await expect(reading).rejects.toThrow('broken');
    expect(texts).toEqual(['A ', 'cat ']);
    model.options = {};
    expect(await textOf(engine.chat(hello))).toBe('A cat on a mat.');
  });

  it('refuses at the call when the queue is full', async () => {
    const { opened, open } = gate();
    await using engine = new SequentialEngine(new FakeModel({ pace: () => opened }), { maxWaiting: 0 });
    const running = textOf(engine.chat(hello));
    expect(() => engine.chat(hello)).toThrow(QueueFullError);
    open();
    await running;
  });

  it('fails for good when the device is lost, and says so once', async () => {
    const lost = Object.assign(new RangeError('illegal address'), { kind: 'sticky' });
    const failures: EngineClosedError[] = [];
    const model = new FakeModel({ failure: { at: 0, error: lost } });
    await using engine = new SequentialEngine(model, { onFailure: (error) => failures.push(error) });
    const first = textOf(engine.chat(hello));
    const second = textOf(engine.chat(hello));
    await expect(first).rejects.toThrow('illegal address');
    await expect(second).rejects.toHaveProperty('code', 'ENGINE_FAILED');
    expect(() => engine.chat(hello)).toThrow(EngineClosedError);
    expect(engine.state).toBe('failed');
    expect(failures).toHaveLength(1);
    expect(failures[0]?.cause).toBe(lost);
  });

  it('drains: takes no new work, finishes the old', async () => {
    const { opened, open } = gate();
    await using engine = new SequentialEngine(new FakeModel({ pace: () => opened }));
    const running = textOf(engine.chat(hello));
    const drained = engine.drain(10_000);
    expect(engine.state).toBe('draining');
    expect(() => engine.chat(hello)).toThrow(EngineClosedError);
    open();
    expect(await drained).toBe(true);
    expect(await running).toBe('A cat on a mat.');
  });

  it('cancels what is not finished when the time to drain is over', async () => {
    const model = new FakeModel({ pace: () => nextTurn(), words: new Array<string>(1_000_000).fill('on ') });
    await using engine = new SequentialEngine(model);
    const running = textOf(engine.chat(hello));
    const drained = engine.drain(5);
    await expect(running).rejects.toHaveProperty('code', 'ENGINE_DRAINING');
    expect(await drained).toBe(false);
  });

  it('disposes the model after the last job', async () => {
    const model = new FakeModel();
    await new SequentialEngine(model)[Symbol.asyncDispose]();
    expect(model.disposed).toBe(true);
  });
});
