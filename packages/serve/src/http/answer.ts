// What all answers of the engine have in common: the job ends when the caller leaves, and a stream's headers wait for its
// first event, so that a request that cannot be served still gets a status of its own.

import type { FastifyReply } from 'fastify';

import { errorResponse } from './error-response.js';
import { EventStream } from './event-stream.js';

/** A signal that fires when the caller closes the connection before the answer is complete. */
export function callerGone(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Times of streamed answers. */
export interface StreamTimes {
  /** Silence after which a comment is sent; also the longest wait for a first event before headers go out. */
  readonly pingMilliseconds: number;
  readonly stallMilliseconds: number;
}

/**
 * Streams the answer to a request.
 *
 * @param source - what the engine does; left early when the caller is gone
 * @param write - sends an event of the source
 * @param finish - sends what follows the last event
 */
export async function streamAnswer<T>(
  reply: FastifyReply,
  times: StreamTimes,
  source: AsyncIterableIterator<T>,
  write: (stream: EventStream, value: T) => Promise<void>,
  finish: (stream: EventStream) => Promise<void>,
): Promise<void> {
  let next = source.next();
  // Rejects here when the first event is an error: the status can still say so.
  await settledWithin(next, times.pingMilliseconds);
  reply.hijack();
  const stream = new EventStream(reply.raw, { ...times, headers: { 'x-request-id': reply.request.id } });
  try {
    for (let result = await next; result.done !== true; result = await next) {
      await write(stream, result.value);
      next = source.next();
    }
    await finish(stream);
  } catch (error) {
    if (!reply.raw.destroyed) {
      reply.request.log.error({ err: error }, 'failed while streaming');
      await stream.send(errorResponse(error).body);
    }
  } finally {
    await source.return?.();
    stream.end();
  }
}

/** Waits for `promise`, but not longer than `milliseconds`; rejects as it does. */
async function settledWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, milliseconds)));
  try {
    await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
