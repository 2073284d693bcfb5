// Who may ask and in which form: host, key, content type and encoding are checked before a body is read.

import { createHash, timingSafeEqual } from 'node:crypto';

import type { FastifyInstance, FastifyRequest } from 'fastify';

import { RequestError } from '../errors/request-error.js';
import { healthRoutes } from './routes/health.js';

const open: ReadonlySet<string> = new Set(healthRoutes);
const loopback: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Who may ask. */
export interface AdmissionOptions {
  /** Key that every route but health asks for; none: no key is asked for, and only names of this machine are answered. */
  readonly apiKey?: string | undefined;
  /** Names under which the server answers besides the loopback ones, when there is no key. */
  readonly allowedHosts?: readonly string[] | undefined;
}

/** Adds the checks to every route of `app`, those that do not exist included. */
export function admission(app: FastifyInstance, { apiKey, allowedHosts = [] }: AdmissionOptions): void {
  const digest = apiKey === undefined ? undefined : sha256(apiKey);
  const hosts = new Set([...loopback, ...allowedHosts]);
  app.addHook('onRequest', async (request) => {
    // Without a key the address is the only guard, and a web page can point a name of its own at it.
    if (digest === undefined) requireHost(request, hosts);
    else if (!open.has(request.routeOptions.url ?? '')) requireKey(request, digest);
    if (request.method === 'POST') requireJson(request);
  });
}

function requireHost({ hostname, headers }: FastifyRequest, hosts: ReadonlySet<string>): void {
  const name = (headers.host ?? hostname).replace(/:\d+$/, '').toLowerCase();
  if (hosts.has(name)) return;
  throw new RequestError('host is not a name of this server. Call it as localhost, or start it with an API key.', {
    status: 421,
    code: 'misdirected_request',
  });
}

function requireKey({ headers }: FastifyRequest, digest: Buffer): void {
  const given = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
  // Digests have one length, so that comparing takes the same time for any key.
  if (timingSafeEqual(sha256(given), digest)) return;
  throw new RequestError('authorization is missing or wrong: expected "Bearer <key>" with the key of this server.', {
    status: 401,
    code: 'invalid_api_key',
  });
}

function requireJson({ headers }: FastifyRequest): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new RequestError('content-encoding is not supported: expected none. Send the body uncompressed.', {
      status: 415,
      code: 'unsupported_content_encoding',
    });
  }
  if (!/^application\/json(; ?charset=utf-8)?$/i.test(headers['content-type'] ?? '')) {
    throw new RequestError('content-type is not supported: expected application/json.', {
      status: 415,
      code: 'unsupported_media_type',
    });
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
