// POST /v1/chat/completions.

import { randomUUID } from 'node:crypto';

import type { FastifyInstance } from 'fastify';

import type { Engine } from '../../engine/engine.js';
import type { TextChunk } from '../../engine/model-contract.js';
import { validateChatRequest } from '../../requests/chat-request.js';
import { callerGone, streamAnswer, type StreamTimes } from '../answer.js';

type Usage = TextChunk['usage'];

export function chatCompletions(app: FastifyInstance, engine: Engine, times: StreamTimes): void {
  app.post('/v1/chat/completions', async (request, reply) => {
    const { request: conversation, stream, includeUsage } = validateChatRequest(request.body, engine.model);
    const chunks = engine.chat(conversation, callerGone(reply));
    const identity = {
      id: `chatcmpl-${randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: engine.model.name,
    };
    if (!stream) return completion(identity, chunks);

    let usage: Usage = { promptTokens: 0, completionTokens: 0 };
    let isFirst = true;
    const piece = (delta: Record<string, string>, finishReason: TextChunk['finishReason'] | null) => ({
      ...identity,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
      ...(includeUsage && { usage: null }),
    });
    await streamAnswer(
      reply,
      times,
      chunks,
      async (events, chunk) => {
        usage = chunk.usage;
        if (isFirst) await events.send(piece({ role: 'assistant', content: '' }, null));
        isFirst = false;
        if (chunk.text !== '') await events.send(piece({ content: chunk.text }, null));
        if (chunk.finishReason !== undefined) await events.send(piece({}, chunk.finishReason));
      },
      async (events) => {
        if (includeUsage)
          await events.send({ ...identity, object: 'chat.completion.chunk', choices: [], usage: publicUsage(usage) });
        await events.send('[DONE]');
      },
    );
    return reply;
  });
}

async function completion(identity: Record<string, unknown>, chunks: AsyncIterable<TextChunk>) {
  let content = '';
  let usage: Usage = { promptTokens: 0, completionTokens: 0 };
  let finishReason: TextChunk['finishReason'] = 'stop';
  for await (const chunk of chunks) {
    content += chunk.text;
    usage = chunk.usage;
    finishReason = chunk.finishReason ?? finishReason;
  }
  const message = { role: 'assistant', content, refusal: null };
  return {
    ...identity,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
    usage: publicUsage(usage),
  };
}

function publicUsage({ promptTokens, completionTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
