// What the server does not accept, over a real socket: status, body in OpenAI's shape, and an engine left alone.

import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { limits } from '../requests/limits.js';
import { type ServedFake, serveFake } from '../testing/serve-fake.js';
import type { ErrorBody } from './error-response.js';

const chat = '/v1/chat/completions';
const hello = { messages: [{ role: 'user', content: 'hello' }] };

async function errorOf(response: Response): Promise<ErrorBody['error']> {
  const body = (await response.json()) as ErrorBody;
  expect(Object.keys(body)).toEqual(['error']);
  expect(Object.keys(body.error).sort()).toEqual(['code', 'message', 'param', 'type']);
  expect(response.headers.get('x-request-id')).toMatch(/^[\w-]+$/);
  return body.error;
}

/** Sends bytes as they are, for what no HTTP client would send. */
function sendRaw({ address }: ServedFake, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(address).port), '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}

describe('the server', () => {
  let served: ServedFake;
  beforeAll(async () => void (served = await serveFake()));
  afterAll(async () => {
    expect(served.model.chats.length + served.model.drawings.length).toBe(1);
    await served[Symbol.asyncDispose]();
  });

  it('answers 400 to what is no JSON', async () => {
    for (const body of ['', '{', '{"messages":', 'hello', new Uint8Array([0x22, 0xff, 0x22])]) {
      const response = await served.post(chat, body);
      expect(response.status).toBe(400);
      expect((await errorOf(response)).type).toBe('invalid_request_error');
    }
  });

  it('answers 400 to JSON nested too deeply, at a depth that would overflow a stack', async () => {
    for (const depth of [limits.jsonDepth + 1, 100_000]) {
      const response = await served.post(chat, `${'['.repeat(depth)}${']'.repeat(depth)}`);
      expect(response.status).toBe(400);
      expect((await errorOf(response)).code).toBe('invalid_json');
    }
  });

  it('answers 415 to other content types, however close', async () => {
    const types = ['text/plain', 'application/json\tx', 'application/jsonx', 'application/json; boundary=a', 'x'];
    for (const type of types) {
      const response = await served.post(chat, hello, { 'content-type': type });
      expect(response.status, type).toBe(415);
      expect((await errorOf(response)).code).toBe('unsupported_media_type');
    }
  });

  it('answers 415 to compressed bodies', async () => {
    const body = new Uint8Array(gzipSync(JSON.stringify(hello)));
    const response = await served.post(chat, body, { 'content-encoding': 'gzip' });
    expect(response.status).toBe(415);
    expect((await errorOf(response)).code).toBe('unsupported_content_encoding');
  });

  it('answers 413 to a body that says it is too large, before reading it', async () => {
    const head = [`POST ${chat} HTTP/1.1`, 'host: localhost', 'content-type: application/json', 'connection: close'];
    const answer = await sendRaw(served, `${head.join('\r\n')}\r\ncontent-length: ${limits.bodyBytes + 1}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('body_too_large');
  });

  it('answers 413 to a body that turns out too large, sent in chunks', async () => {
    const megabyte = new Uint8Array(2 ** 20).fill(0x20);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ > 32) controller.close();
        else controller.enqueue(megabyte);
      },
    });
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' };
    const response = await fetch(served.address + chat, init as RequestInit).catch(() => undefined);
    // The answer comes while the client still sends; some clients see only the closed connection.
    if (response !== undefined) expect(response.status).toBe(413);
  });

  it('answers 404 to routes that do not exist, and to methods that a route lacks', async () => {
    for (const route of ['/v1/chat', '/v1/completions', '/v1/models/a/b', '/..%2f..%2fetc/passwd', '/metrics']) {
      const response = await fetch(served.address + route);
      expect(response.status, route).toBe(404);
      expect((await errorOf(response)).code).toBe('not_found');
    }
    expect((await fetch(served.address + chat)).status).toBe(404);
  });

  it('answers 421 to a host name that is not its own', async () => {
    const answer = await sendRaw(served, 'GET /v1/models HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 421 /);
  });

  it('takes over a plain request id and no other', async () => {
    const take = async (id: string) =>
      (await fetch(`${served.address}/health`, { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await take('abc-123')).toBe('abc-123');
    expect(await take('a b"c')).toMatch(/^req_/);
    expect(await take('x'.repeat(65))).toMatch(/^req_/);
  });

  it('shows a page that says what runs, without scripts', async () => {
    const response = await fetch(`${served.address}/`);
    const page = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page).toContain('fake-janus');
    expect(page).not.toMatch(/<script|https:/);
  });

  it('serves a good request after all this', async () => {
    expect((await served.post(chat, hello)).status).toBe(200);
  });
});

describe('a server with a key', () => {
  it('asks for it on every route but health, known or unknown', async () => {
    await using served = await serveFake(undefined, { apiKey: 'secret' });
    const routes = ['/', '/v1/models', '/v1/models/fake-janus', '/nothing', '/health/nothing'];
    for (const route of routes) {
      const response = await fetch(served.address + route);
      expect(response.status, route).toBe(401);
      expect((await errorOf(response)).code).toBe('invalid_api_key');
    }
    for (const route of [chat, '/v1/images/generations']) expect((await served.post(route, hello)).status).toBe(401);
    for (const route of ['/health', '/health/live', '/health/ready']) {
      expect((await fetch(served.address + route)).status, route).toBe(200);
    }
  });

  it('takes the key and no other', async () => {
    await using served = await serveFake(undefined, { apiKey: 'secret' });
    const status = async (authorization: string) =>
      (await fetch(`${served.address}/v1/models`, { headers: { authorization } })).status;
    expect(await status('Bearer secret')).toBe(200);
    for (const wrong of ['Bearer secret2', 'Bearer secre', 'Bearer ', 'Basic secret', 'secret']) {
      expect(await status(wrong), wrong).toBe(401);
    }
    await expect(served.client.models.list()).resolves.toHaveProperty('data.length', 1);
  });
});
