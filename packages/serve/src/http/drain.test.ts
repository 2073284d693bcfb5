// The end of a server's life: running requests finish, new ones are sent elsewhere, health says so.

import { describe, expect, it } from 'vitest';

import { FakeModel, gate, until } from '../testing/fake-model.js';
import { serveFake } from '../testing/serve-fake.js';

const hello = { model: 'fake-janus', messages: [{ role: 'user' as const, content: 'hello' }] };

describe('a draining server', () => {
  it('finishes what runs, answers 503 to the rest, and is not ready', async () => {
    const { opened, open } = gate();
    await using served = await serveFake(new FakeModel({ pace: () => opened }));
    const running = served.client.chat.completions.create(hello);
    await until(() => served.engine.statistics.running === 1);
    const drained = served.engine.drain(30_000);

    const refused = await served.post('/v1/chat/completions', hello);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).not.toBeNull();
    expect(await refused.json()).toHaveProperty('error.code', 'draining');
    const status = async (route: string) => (await fetch(served.address + route)).status;
    expect(await status('/health/ready')).toBe(503);
    expect(await status('/health')).toBe(503);
    expect(await status('/health/live')).toBe(200);
    expect(await status('/v1/models')).toBe(200);

    open();
    expect((await running).choices[0]?.message.content).toBe('A cat on a mat.');
    expect(await drained).toBe(true);
  });

  it('tells a stream that is not finished in time, and leaves out the end mark', async () => {
    const model = new FakeModel({ words: new Array<string>(1e6).fill('on ') });
    await using served = await serveFake(model);
    const response = await served.post('/v1/chat/completions', { ...hello, stream: true });
    const text = response.text();
    expect(await served.engine.drain(20)).toBe(false);
    const events = (await text).trimEnd().split('\n\n');
    expect(JSON.parse(events.at(-1)?.replace('data: ', '') ?? '')).toHaveProperty('error.code', 'draining');
    expect(events).not.toContain('data: [DONE]');
  });

  it('is not ready after its device is lost, while the process lives', async () => {
    const lost = Object.assign(new RangeError('illegal address'), { kind: 'sticky' });
    await using served = await serveFake(new FakeModel({ failure: { at: 0, error: lost } }));
    expect((await served.post('/v1/chat/completions', hello)).status).toBe(500);
    const next = await served.post('/v1/chat/completions', hello);
    expect(next.status).toBe(503);
    expect(await next.json()).toHaveProperty('error.code', 'engine_unavailable');
    expect((await fetch(`${served.address}/health/ready`)).status).toBe(503);
    expect((await fetch(`${served.address}/health/live`)).status).toBe(200);
  });
});

describe('health', () => {
  it('counts what the queue did', async () => {
    await using served = await serveFake();
    await served.client.chat.completions.create(hello);
    expect(await (await fetch(`${served.address}/health`)).json()).toMatchObject({
      status: 'ready',
      model: 'fake-janus',
      queue: { completed: 1, running: 0, waiting: 0 },
    });
  });
});
