// The whole way on the test checkpoint: official client, HTTP, queue, captured steps, model.

import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';

import { stepRunner } from '@limen/graph-runtime';
import { loadImage, loadModel } from '@limen/models-janus';
import type { FastifyInstance } from 'fastify';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { closeServer } from '../src/http/close-server.js';
import { createServer } from '../src/http/create-server.js';
import { SequentialEngine } from '../src/engine/sequential-engine.js';
import { paths } from './run-limen.js';

describe('a served checkpoint', { timeout: 120_000 }, () => {
  let engine: SequentialEngine;
  let app: FastifyInstance;
  let client: OpenAI;
  let picture = '';
  beforeAll(async () => {
    engine = new SequentialEngine(await loadModel(paths.checkpoint, { device: 'cpu', stepRunner }));
    app = createServer(engine);
    await app.listen({ port: 0 });
    const { port } = app.server.address() as AddressInfo;
    client = new OpenAI({ baseURL: `http://localhost:${port}/v1`, apiKey: 'none', maxRetries: 0 });
    picture = `data:image/png;base64,${(await readFile(paths.picture)).toString('base64')}`;
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    await closeServer(app, 50);
  });

  const question = () => ({
    model: 'janus-a',
    max_tokens: 6,
    messages: [
      {
        role: 'user' as const,
        content: [
          { type: 'image_url' as const, image_url: { url: picture } },
          { type: 'text' as const, text: 'What is it?' },
        ],
      },
    ],
  });

  it('answers about a picture, in a stream as at once', async () => {
    const whole = await client.chat.completions.create(question());
    const stream = await client.chat.completions.create({ ...question(), stream: true });
    let streamed = '';
    for await (const piece of stream) streamed += piece.choices[0]?.delta.content ?? '';
    expect(whole.usage?.completion_tokens).toBeLessThanOrEqual(6);
    expect(whole.usage?.prompt_tokens).toBeGreaterThan(10);
    expect(streamed).toBe(whole.choices[0]?.message.content);
  });

  it('draws a picture of its size, and shows it unfinished on the way', async () => {
    const stream = await client.images.generate({ prompt: 'a cat', stream: true, partial_images: 1 });
    const events: OpenAI.ImageGenStreamEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events.map(({ type }) => type)).toEqual(['image_generation.partial_image', 'image_generation.completed']);
    const drawing = await loadImage(Buffer.from(events.at(-1)?.b64_json ?? '', 'base64'));
    expect([drawing.width, drawing.height]).toEqual([engine.model.imageSize, engine.model.imageSize]);
  });

  it('answers 400 to what only the model can refuse', async () => {
    const damaged = question();
    const part = damaged.messages[0]?.content[0];
    if (part?.type === 'image_url') part.image_url.url = 'data:image/png;base64,AAAA';
    await expect(client.chat.completions.create(damaged)).rejects.toMatchObject({
      status: 400,
      code: 'image_format_not_supported',
    });
    const long = { role: 'user' as const, content: 'word '.repeat(engine.model.contextLength) };
    await expect(client.chat.completions.create({ model: 'janus-a', messages: [long] })).rejects.toMatchObject({
      status: 400,
      code: 'prompt_too_long',
    });
  });
});
