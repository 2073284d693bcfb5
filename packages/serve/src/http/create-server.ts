// The HTTP edge: routes, limits and error bodies around an engine. It installs no signal handlers and never exits;
// that is for the program that starts it.

import { randomUUID } from 'node:crypto';

import { fastify, type FastifyInstance } from 'fastify';

import type { Engine } from '../engine/engine.js';
import { RequestError } from '../errors/request-error.js';
import { isDeeperThan } from '../requests/json-depth.js';
import { limits } from '../requests/limits.js';
import { admission, type AdmissionOptions } from './admission.js';
import type { StreamTimes } from './answer.js';
import { chatCompletions } from './routes/chat-completions.js';
import { errorResponse } from './error-response.js';
import { health } from './routes/health.js';
import { imageGenerations } from './routes/image-generations.js';
import { models } from './routes/models.js';
import { rootPage } from './routes/root-page.js';

/** Options of a server. */
export interface ServerOptions extends AdmissionOptions, Partial<StreamTimes> {
  /** Lowest level that is logged, as JSON lines on standard output; default `'silent'`. Prompts are never logged. */
  readonly logLevel?: string;
}

/**
 * A server for `engine`; call `listen` on it. The engine stays the caller's.
 *
 * @param options.pingMilliseconds - silence on a stream after which a comment is sent; default 15 000
 * @param options.stallMilliseconds - time a reader may leave its connection full; default 30 000
 *
 * @example
 * const app = createServer(engine);
 * await app.listen({ port: 8080 });
 */
export function createServer(engine: Engine, options: ServerOptions = {}): FastifyInstance {
  const { logLevel = 'silent', pingMilliseconds = 15_000, stallMilliseconds = 30_000 } = options;
  const times = { pingMilliseconds, stallMilliseconds };
  const app: FastifyInstance = fastify({
    logger: { level: logLevel },
    bodyLimit: limits.bodyBytes,
    requestTimeout: 60_000,
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: 256 },
    requestIdHeader: false,
    genReqId: (request) => callerId(request.headers['x-request-id']) ?? `req_${randomUUID()}`,
  });
  app.server.headersTimeout = 15_000;
  app.server.maxHeadersCount = 100;
  app.server.maxConnections = 4096;

  app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
  admission(app, options);
  readJsonOnly(app);
  app.setErrorHandler((error, request, reply) => {
    const { status, headers, body } = errorResponse(error);
    if (reply.raw.destroyed) {
      // Nobody is there to answer; 499 is what proxies log for it.
      request.log.info('the caller left');
      return reply.code(499).send();
    }
    if (status >= 500) request.log.error({ err: error }, 'request failed');
    return reply.code(status).headers(headers).send(body);
  });
  app.setNotFoundHandler(({ method }) => {
    throw new RequestError(`${method} of this address does not exist. GET / lists what there is.`, {
      status: 404,
      code: 'not_found',
    });
  });

  rootPage(app, engine);
  health(app, engine);
  models(app, engine);
  chatCompletions(app, engine, times);
  imageGenerations(app, engine, times);
  return app;
}

function readJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => {
    if (isDeeperThan(body, limits.jsonDepth)) {
      throw new RequestError(`body is nested too deeply: expected at most ${limits.jsonDepth} levels.`, {
        code: 'invalid_json',
      });
    }
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
    } catch {
      throw new RequestError('body is not valid JSON in UTF-8.', { code: 'invalid_json' });
    }
  });
}

// An id from outside goes into headers and logs, so only a plain one is taken over.
function callerId(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[\w-]{1,64}$/.test(header) ? header : undefined;
}
