// POST /v1/images/generations.

import { encodeImage } from '@limen/models-janus';
import type { FastifyInstance } from 'fastify';

import type { DrawEvent, Engine } from '../engine/engine.js';
import type { DrawnImage } from '../engine/model-contract.js';
import { type ImageFormat, validateImageRequest } from '../requests/image-request.js';
import { callerGone, streamAnswer, type StreamTimes } from './answer.js';
import type { EventStream } from './event-stream.js';

export function imageGenerations(app: FastifyInstance, engine: Engine, times: StreamTimes): void {
  app.post('/v1/images/generations', async (request, reply) => {
    const { request: drawing, format, stream } = validateImageRequest(request.body, engine.model);
    const events = engine.draw(drawing, callerGone(reply));
    const { imageSize } = engine.model;
    const facts = {
      background: 'opaque',
      output_format: format,
      quality: 'auto',
      size: `${imageSize}x${imageSize}`,
    };
    const created = Math.floor(Date.now() / 1000);
    if (!stream) return { created, data: await drawnImages(events, format), ...facts };

    await streamAnswer(
      reply,
      times,
      withoutProgress(events),
      (output, event) => sendImages(output, event, format, { created_at: created, ...facts }),
      async () => {},
    );
    return reply;
  });
}

type ShownEvent = Exclude<DrawEvent, { type: 'progress' }>;

async function drawnImages(events: AsyncIterable<DrawEvent>, format: ImageFormat) {
  for await (const event of events) {
    if (event.type === 'finished')
      return Promise.all(event.images.map(async (image) => ({ b64_json: await encoded(image, format) })));
  }
  return [];
}

/** One event per picture; `image_index` tells several pictures of a request apart. */
async function sendImages(
  output: EventStream,
  event: ShownEvent,
  format: ImageFormat,
  facts: Record<string, unknown>,
): Promise<void> {
  const isFinished = event.type === 'finished';
  const type = isFinished ? 'image_generation.completed' : 'image_generation.partial_image';
  for (const [index, image] of event.images.entries()) {
    const data = { type, b64_json: await encoded(image, format), image_index: index, ...facts };
    await output.send(isFinished ? data : { ...data, partial_image_index: event.index }, type);
  }
}

async function encoded(image: DrawnImage, format: ImageFormat): Promise<string> {
  return Buffer.from(await encodeImage(image, format)).toString('base64');
}

async function* withoutProgress(events: AsyncIterable<DrawEvent>): AsyncGenerator<ShownEvent> {
  for await (const event of events) if (event.type !== 'progress') yield event;
}
