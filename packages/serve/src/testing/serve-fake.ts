// A server on a real socket with a fake model behind it, and the official client in front of it.

import type { AddressInfo } from 'node:net';

import OpenAI from 'openai';

import { SequentialEngine, type SequentialEngineOptions } from '../engine/sequential-engine.js';
import { closeServer } from '../http/close-server.js';
import { createServer, type ServerOptions } from '../http/create-server.js';
import { FakeModel } from './fake-model.js';

/** A running server; disposing it closes everything. */
export interface ServedFake extends AsyncDisposable {
  readonly model: FakeModel;
  readonly engine: SequentialEngine;
  readonly address: string;
  readonly client: OpenAI;
  /** POSTs a JSON text, or bytes with further headers. */
  post(route: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

export async function serveFake(
  model: FakeModel = new FakeModel(),
  options: ServerOptions & SequentialEngineOptions = {},
): Promise<ServedFake> {
  const engine = new SequentialEngine(model, options);
  const app = createServer(engine, options);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const address = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  return {
    model,
    engine,
    address,
    client: new OpenAI({ baseURL: `${address}/v1`, apiKey: options.apiKey ?? 'none', maxRetries: 0 }),
    post: (route, body, headers = {}) =>
      fetch(address + route, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      await engine.drain(0);
      await closeServer(app, 50);
    },
  };
}

/** A PNG of 4 × 4 pixels as a data: URL. */
export const smallPicture =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAAEElEQVQImWM44KAARwzEcQDeQxIBv09DrQAAAABJRU5ErkJggg==';
