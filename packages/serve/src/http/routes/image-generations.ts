// POST /v1/images/generations.

import { encodeImage } from '@limen/models-janus';
import type { FastifyInstance } from 'fastify';

import type { DrawEvent, Engine } from '../../engine/engine.js';
import type { DrawnImage } from '../../engine/model-contract.js';
import { validateImageRequest, type ValidImageRequest } from '../../requests/image-request.js';
import { callerGone, streamAnswer, type StreamTimes } from '../answer.js';
import type { EventStream } from '../event-stream.js';

type FileOptions = Pick<ValidImageRequest, 'format' | 'quality'>;
type ShownEvent = Exclude<DrawEvent, { type: 'progress' }>;

export function imageGenerations(app: FastifyInstance, engine: Engine, times: StreamTimes): void {
  app.post('/v1/images/generations', async (request, reply) => {
    const { request: drawing, stream, ...file } = validateImageRequest(request.body, engine.model);
    const events = engine.draw(drawing, callerGone(reply));
    const size = `${engine.model.imageSize}x${engine.model.imageSize}`;
    const facts = { background: 'opaque', output_format: file.format, quality: 'auto', size };
    const created = Math.floor(Date.now() / 1000);
    if (!stream) return { created, data: await drawnImages(events, file), ...facts };

    const write = (output: EventStream, event: ShownEvent) =>
      sendImages(output, event, file, { created_at: created, ...facts });
    await streamAnswer(reply, times, withoutProgress(events), write, async () => {});
    return reply;
  });
}

async function drawnImages(events: AsyncIterable<DrawEvent>, file: FileOptions) {
  for await (const event of events) {
    if (event.type !== 'finished') continue;
    return Promise.all(event.images.map(async (image) => ({ b64_json: await encoded(image, file) })));
  }
  return [];
}

/** One event per picture; `image_index` tells several pictures of a request apart. */
async function sendImages(output: EventStream, event: ShownEvent, file: FileOptions, facts: object): Promise<void> {
  const isFinished = event.type === 'finished';
  const type = isFinished ? 'image_generation.completed' : 'image_generation.partial_image';
  for (const [index, image] of event.images.entries()) {
    const data = { type, b64_json: await encoded(image, file), image_index: index, ...facts };
    await output.send(isFinished ? data : { ...data, partial_image_index: event.index }, type);
  }
}

async function encoded(image: DrawnImage, file: FileOptions): Promise<string> {
  return Buffer.from(await encodeImage(image, file)).toString('base64');
}

async function* withoutProgress(events: AsyncIterable<DrawEvent>): AsyncGenerator<ShownEvent> {
  for await (const event of events) if (event.type !== 'progress') yield event;
}
