// The body of POST /v1/chat/completions: its shape, its limits, and what it asks of the engine.

import type { ChatRequest, ModelFacts } from '../engine/engine.js';
import type { ChatMessage } from '../engine/model-contract.js';
import { RequestError } from '../errors/request-error.js';
import {
  boolean,
  type Field,
  integer,
  list,
  number,
  object,
  oneOf,
  optional,
  text,
  unexpected,
  unsupported,
} from './fields.js';
import { imageSource } from './image-source.js';
import { limits } from './limits.js';
import { requireModel } from './require-model.js';

/** A request that may be run. */
export interface ValidChatRequest {
  readonly request: ChatRequest;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/**
 * Checks a request against the model and the limits.
 *
 * @throws {RequestError} the first field that is wrong, as `param`
 */
export function validateChatRequest(body: unknown, model: ModelFacts): ValidChatRequest {
  const fields = chatBody(model)(body, '');
  requireModel(fields.model, model);
  const request: ChatRequest = {
    messages: fields.messages,
    maxNewTokens: fields.max_completion_tokens ?? fields.max_tokens,
    temperature: fields.temperature,
    topK: fields.top_k,
    topP: fields.top_p,
    seed: fields.seed,
    stop: fields.stop,
  };
  return { request, stream: fields.stream ?? false, includeUsage: fields.stream_options?.include_usage ?? false };
}

function chatBody(model: ModelFacts) {
  const words = text({ max: model.contextLength * limits.charactersPerToken });
  const tokens = optional(integer({ min: 1, max: model.contextLength }));
  return object({
    model: optional(text({ max: 256 })),
    messages: list(message(words, countedImages()), { min: 1, max: limits.messages }),
    max_tokens: tokens,
    max_completion_tokens: tokens,
    temperature: optional(number({ min: 0, max: limits.temperature })),
    top_p: optional(number({ above: 0, max: 1 })),
    top_k: optional(integer({ min: 0, max: limits.topK })),
    seed: optional(integer({ min: 0, max: limits.seed })),
    stop: optional(stopTexts),
    stream: optional(boolean),
    stream_options: optional(object({ include_usage: optional(boolean) })),
    n: optional(integer({ min: 1, max: 1 })),
    response_format: optional(object({ type: oneOf(['text']) })),
    modalities: optional(list(oneOf(['text']), { max: 1 })),
    frequency_penalty: unsupported(0),
    presence_penalty: unsupported(0),
    logit_bias: unsupported(),
    logprobs: unsupported(false),
    top_logprobs: unsupported(0),
    tools: unsupported(),
    tool_choice: unsupported('none', 'auto'),
    functions: unsupported(),
    function_call: unsupported('none', 'auto'),
    audio: unsupported(),
    prediction: unsupported(),
    web_search_options: unsupported(),
  });
}

function message(words: Field<string>, image: Field<Uint8Array>): Field<ChatMessage> {
  const role = oneOf(['system', 'developer', 'user', 'assistant']);
  const typeOf = object({ type: oneOf(['text', 'image_url']) });
  const textPart = object({ text: words });
  const imagePart = object({ image_url: object({ url: image, detail: optional(oneOf(['auto', 'low', 'high'])) }) });
  const part: Field<Exclude<ChatMessage['content'], string>[number]> = (value, path) => {
    if (typeOf(value, path).type === 'text') return { type: 'text', text: textPart(value, path).text };
    return { type: 'image', image: imagePart(value, path).image_url.url };
  };
  const parts = list(part, { min: 1, max: 2 * limits.images + 64 });
  return (value, path) => {
    const found = object({ role, content: (content) => content })(value, path);
    const { content } = found;
    if (typeof content !== 'string' && !Array.isArray(content)) {
      throw unexpected(`${path}.content`, 'has the wrong type', 'a text or an array of parts', content);
    }
    const read = typeof content === 'string' ? words(content, `${path}.content`) : parts(content, `${path}.content`);
    const picture = typeof read === 'string' ? -1 : read.findIndex(({ type }) => type === 'image');
    if (picture >= 0 && found.role !== 'user') {
      throw new RequestError(
        `${path}.content[${picture}] is not allowed: expected pictures in user messages only. Move it there.`,
        {
          param: `${path}.content[${picture}]`,
          code: 'invalid_value',
        },
      );
    }
    return { role: found.role === 'developer' ? 'system' : found.role, content: read };
  };
}

const stopTexts: Field<string[]> = (value, path) => {
  const one = text({ min: 1, max: limits.stopCharacters });
  return typeof value === 'string' ? [one(value, path)] : list(one, { max: limits.stops })(value, path);
};

/** Reads pictures of one request and refuses the first one too many before it is decoded. */
function countedImages(): Field<Uint8Array> {
  let count = 0;
  return (value, path) => {
    count++;
    if (count <= limits.images) return imageSource(value, path);
    throw new RequestError(`messages hold too many pictures: expected at most ${limits.images}. Send fewer.`, {
      param: 'messages',
      code: 'too_many_images',
    });
  };
}
