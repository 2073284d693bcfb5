// Any error as a status and a body in OpenAI's shape. Only texts written for callers are sent; of anything else the
// caller learns the request id, and the log has the rest.

import { LimenError } from '@limen/tensor';

import { EngineClosedError } from '../errors/engine-closed-error.js';
import { QueueFullError } from '../errors/queue-full-error.js';
import { RequestError } from '../errors/request-error.js';

/** OpenAI's error body. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** What is sent for an error. */
export interface ErrorResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
}

const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
};

// What a request can do wrong that only the model notices.
const requestCodes = /^(IMAGE_\w+|PROMPT_TOO_LONG|INVALID_ARGUMENT|TOKENIZER_TEXT_TOO_LONG)$/;
const capacityCodes = /^(CACHE_FULL|OUT_OF_MEMORY|CUDA_MEMORY_ALLOCATION)$/;

function response(
  status: number,
  message: string,
  code: string | null,
  param: string | null = null,
  headers: Readonly<Record<string, string>> = {},
): ErrorResponse {
  const type = types[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  return { status, headers, body: { error: { message, type, param, code } } };
}

/** The answer to a request that failed with `error`. */
export function errorResponse(error: unknown): ErrorResponse {
  if (error instanceof RequestError) return response(error.status, error.message, error.publicCode, error.param);
  if (error instanceof QueueFullError) {
    return response(429, error.message, 'queue_full', null, { 'retry-after': String(error.retryAfterSeconds) });
  }
  if (error instanceof EngineClosedError) {
    const code = error.code === 'ENGINE_DRAINING' ? 'draining' : 'engine_unavailable';
    return response(503, error.message, code, null, { 'retry-after': '10' });
  }
  if (LimenError.isInstance(error)) {
    if (requestCodes.test(error.code)) return response(400, withoutPaths(error.message), error.code.toLowerCase());
    if (capacityCodes.test(error.code)) {
      const message = 'The model has no memory left for this request. Make it smaller, or try again later.';
      return response(503, message, error.code.toLowerCase(), null, { 'retry-after': '5' });
    }
  }
  return (
    fastifyResponse(error) ??
    response(500, 'The server failed to answer. The request id finds the reason in its log.', 'internal_error')
  );
}

// Errors of the HTTP layer itself, by the codes that Fastify documents.
function fastifyResponse(error: unknown): ErrorResponse | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error) || !('code' in error)) return undefined;
  const { statusCode, code } = error;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return response(
      413,
      'body is too large: expected at most 32 MiB. Send fewer or smaller pictures.',
      'body_too_large',
    );
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return response(415, 'content-type is not supported: expected application/json.', 'unsupported_media_type');
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return undefined;
  return response(statusCode, 'The request could not be read.', 'invalid_request');
}

// A caller has no business with the folders of this machine.
function withoutPaths(text: string): string {
  return text.replace(/(?<![\w:/])\/(?:[\w.-]+\/)+[\w.-]*/g, '(a file)');
}
