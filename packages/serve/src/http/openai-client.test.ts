// The official client against a fake model: what its users do must work unchanged.

import { connect } from 'node:net';

import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { FakeModel, gate, until } from '../testing/fake-model.js';
import { type ServedFake, serveFake, smallPicture } from '../testing/serve-fake.js';

const hello = { model: 'fake-janus', messages: [{ role: 'user' as const, content: 'hello' }] };

describe('the openai client', () => {
  let served: ServedFake;
  beforeAll(async () => void (served = await serveFake()));
  afterAll(() => served[Symbol.asyncDispose]());

  it('gets an answer with its usage', async () => {
    const completion = await served.client.chat.completions.create(hello);
    expect(completion.object).toBe('chat.completion');
    expect(completion.choices[0]?.message.content).toBe('A cat on a mat.');
    expect(completion.choices[0]?.finish_reason).toBe('stop');
    expect(completion.usage).toEqual({ prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 });
    expect(completion._request_id).toMatch(/^req_/);
  });

  it('streams an answer, with usage when it asks for it', async () => {
    const stream = await served.client.chat.completions.create({
      ...hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    const pieces: OpenAI.ChatCompletionChunk[] = [];
    for await (const piece of stream) pieces.push(piece);
    expect(pieces[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(pieces.map((piece) => piece.choices[0]?.delta.content ?? '').join('')).toBe('A cat on a mat.');
    expect(pieces.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    expect(pieces.at(-1)?.choices).toEqual([]);
    expect(pieces.at(-1)?.usage?.total_tokens).toBe(12);
    expect(new Set(pieces.map(({ id }) => id)).size).toBe(1);
  });

  it('streams no usage unless it asks for it', async () => {
    const stream = await served.client.chat.completions.create({ ...hello, stream: true });
    for await (const piece of stream) expect(piece).not.toHaveProperty('usage');
  });

  it('sends pictures, system messages and sampling options through to the model', async () => {
    const { model } = served;
    await served.client.chat.completions.create({
      model: 'fake-janus',
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: smallPicture, detail: 'low' } },
            { type: 'text', text: 'What is it?' },
          ],
        },
      ],
      max_completion_tokens: 9,
      temperature: 0.5,
      top_p: 0.9,
      seed: 4,
      stop: ['.', '\n'],
    });
    const sent = model.chats.at(-1);
    expect(sent).toMatchObject({ maxNewTokens: 9, temperature: 0.5, topP: 0.9, seed: 4, stop: ['.', '\n'] });
    expect(sent?.messages[0]).toEqual({ role: 'system', content: 'Be brief.' });
    const [image, question] = sent?.messages[1]?.content ?? [];
    expect(question).toEqual({ type: 'text', text: 'What is it?' });
    expect(image).toHaveProperty('type', 'image');
    const bytes = typeof image === 'object' && image.type === 'image' ? (image.image as Uint8Array) : new Uint8Array();
    expect([...bytes.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
  });

  it('draws pictures in the format it asks for', async () => {
    const generate = (output_format: 'png' | 'jpeg' | 'webp') =>
      served.client.images.generate({
        prompt: 'a cat',
        n: 2,
        size: 'auto',
        output_format,
        response_format: 'b64_json',
      });
    const starts = { png: '89504e47', jpeg: 'ffd8ff', webp: '52494646' };
    for (const [format, start] of Object.entries(starts)) {
      const { data } = await generate(format as 'png');
      expect(data).toHaveLength(2);
      expect(
        Buffer.from(data?.[0]?.b64_json ?? '', 'base64')
          .toString('hex')
          .startsWith(start),
      ).toBe(true);
    }
    expect(served.model.drawings.at(-1)?.[1]).toMatchObject({ count: 2 });
  });

  it('streams unfinished pictures before the finished one', async () => {
    const stream = await served.client.images.generate({ prompt: 'a cat', stream: true, partial_images: 2 });
    const types: string[] = [];
    for await (const event of stream) {
      types.push(event.type);
      expect(event.b64_json.length).toBeGreaterThan(50);
    }
    const partial = 'image_generation.partial_image';
    expect(types).toEqual([partial, partial, 'image_generation.completed']);
  });

  it('lists and finds the model', async () => {
    const { data } = await served.client.models.list();
    expect(data.map(({ id }) => id)).toEqual(['fake-janus']);
    expect((await served.client.models.retrieve('fake-janus')).object).toBe('model');
    await expect(served.client.models.retrieve('gpt-x')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });

  it('learns which model does not exist', async () => {
    const asking = served.client.chat.completions.create({ ...hello, model: 'gpt-x' });
    await expect(asking).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
  });
});

describe('a caller that leaves', () => {
  it('frees the engine in the middle of a stream', async () => {
    await using served = await serveFake(new FakeModel({ words: new Array<string>(1e6).fill('on ') }));
    const stream = await served.client.chat.completions.create({ ...hello, stream: true });
    for await (const piece of stream) if (piece.choices[0]?.delta.content === 'on ') break;
    await until(() => served.engine.statistics.running === 0);
    expect(served.engine.statistics.cancelled).toBe(1);
    served.model.options = {};
    expect((await served.client.chat.completions.create(hello)).choices[0]?.finish_reason).toBe('stop');
  });

  it('frees the engine while it waits for a whole answer or a picture', async () => {
    await using served = await serveFake(new FakeModel({ words: new Array<string>(1e6).fill('on ') }));
    const controller = new AbortController();
    const { signal } = controller;
    const answers = Promise.allSettled([
      served.client.chat.completions.create(hello, { signal }),
      served.client.images.generate({ prompt: 'a cat' }, { signal }),
    ]);
    await until(() => served.engine.statistics.running === 1 && served.engine.statistics.waiting === 1);
    controller.abort();
    await answers;
    await until(() => served.engine.statistics.cancelled === 2);
    expect(served.engine.statistics).toMatchObject({ running: 0, waiting: 0 });
  });
});

describe('a caller that stops reading', () => {
  it('is dropped, and the engine is free again', async () => {
    const model = new FakeModel({ words: new Array<string>(1e6).fill('on ') });
    await using served = await serveFake(model, { stallMilliseconds: 50 });
    const body = JSON.stringify({ ...hello, stream: true });
    const socket = connect(Number(new URL(served.address).port), '127.0.0.1').pause();
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => served.engine.statistics.cancelled === 1);
    expect(served.engine.statistics.running).toBe(0);
    socket.destroy();
  });
});

describe('failures', () => {
  it('reach a stream as an error event, and the next request is served', async () => {
    const model = new FakeModel({ failure: { at: 2, error: new RangeError('secret /etc/passwd') } });
    await using served = await serveFake(model);
    const stream = await served.client.chat.completions.create({ ...hello, stream: true });
    let text = '';
    const reading = (async () => {
      for await (const piece of stream) text += piece.choices[0]?.delta.content ?? '';
    })();
    await expect(reading).rejects.toBeInstanceOf(OpenAI.APIError);
    await expect(reading).rejects.not.toThrow('secret');
    expect(text).toBe('A cat ');
    model.options = {};
    expect((await served.client.chat.completions.create(hello)).choices[0]?.message.content).toBe('A cat on a mat.');
  });

  it('before the first word have a status of their own, in streams too', async () => {
    await using served = await serveFake(new FakeModel({ failure: { at: 0, error: new RangeError('secret') } }));
    const asking = served.client.chat.completions.create({ ...hello, stream: true });
    await expect(asking).rejects.toMatchObject({ status: 500, code: 'internal_error' });
  });

  it('of a full queue are 429 with a time to wait', async () => {
    const { opened, open } = gate();
    await using served = await serveFake(new FakeModel({ pace: () => opened }), { maxWaiting: 0 });
    const running = served.client.chat.completions.create(hello);
    await until(() => served.engine.statistics.running === 1);
    const refused = await served.client.chat.completions.create(hello).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
    expect(Number((refused as InstanceType<typeof OpenAI.RateLimitError>).headers.get('retry-after'))).toBeGreaterThan(
      0,
    );
    open();
    expect((await running).choices).toHaveLength(1);
  });
});

describe('silence on a stream', () => {
  it('is filled with comments that clients ignore', async () => {
    const { opened, open } = gate();
    const model = new FakeModel({ pace: (call) => (call === 2 ? opened : Promise.resolve()) });
    await using served = await serveFake(model, { pingMilliseconds: 5 });
    const response = await served.post('/v1/chat/completions', { ...hello, stream: true });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes(': ping')) text += (await reader?.read())?.value ?? '';
    open();
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) text += part.value;
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('before the first word does not keep the headers back for ever', async () => {
    const { opened, open } = gate();
    await using served = await serveFake(new FakeModel({ pace: () => opened }), { pingMilliseconds: 5 });
    const response = await served.post('/v1/chat/completions', { ...hello, stream: true });
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    open();
    expect(await response.text()).toMatch('mat.');
  });
});
