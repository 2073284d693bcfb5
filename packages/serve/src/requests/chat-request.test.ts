import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { RequestError } from '../errors/request-error.js';
import { FakeModel } from '../testing/fake-model.js';
import { smallPicture } from '../testing/serve-fake.js';
import { validateChatRequest } from './chat-request.js';
import { limits } from './limits.js';

const model = new FakeModel();
const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const picture = (url: unknown) => ({ type: 'image_url', image_url: { url } });

function refusal(body: unknown): RequestError {
  try {
    validateChatRequest(body, model);
  } catch (error) {
    if (error instanceof RequestError) return error;
    throw error;
  }
  return expect.fail('the request was accepted');
}

describe('validateChatRequest', () => {
  it('ignores fields that it does not know', () => {
    const { request } = validateChatRequest(
      { ...user('hello'), colour: 'red', store: true, metadata: { a: 1 } },
      model,
    );
    expect(request.messages).toEqual([{ role: 'user', content: 'hello' }]);
    expect(request).not.toHaveProperty('colour');
  });

  it('refuses what is no object, and an object without messages', () => {
    for (const body of [undefined, null, [], 'text', 3]) expect(refusal(body).param).toBe('body');
    expect(refusal({}).param).toBe('messages');
    expect(refusal({ messages: [] }).param).toBe('messages');
    expect(refusal(JSON.parse('{"__proto__":{"messages":[]}}')).param).toBe('messages');
  });

  it('names the part of the message that is wrong', () => {
    expect(
      refusal({
        messages: [
          { role: 'user', content: 'a' },
          { role: 'robot', content: 'b' },
        ],
      }).param,
    ).toBe('messages[1].role');
    expect(refusal(user(null)).param).toBe('messages[0].content');
    expect(refusal(user([{ type: 'text' }])).param).toBe('messages[0].content[0].text');
    expect(refusal(user([{ type: 'audio' }])).param).toBe('messages[0].content[0].type');
    expect(refusal(user([{ type: 'image_url' }])).param).toBe('messages[0].content[0].image_url');
    expect(refusal(user([{ type: 'text', text: 'a' }, picture(3)])).param).toBe('messages[0].content[1].image_url.url');
  });

  it('refuses every address that would have to be fetched, saying what to send instead', () => {
    const addresses = [
      'https://example.com/cat.png',
      'http://127.0.0.1/',
      'file:///etc/passwd',
      'ftp://a/b',
      '/etc/passwd',
      'cat.png',
      'HTTP://A',
      ' data:image/png;base64,AAAA',
    ];
    for (const address of addresses) {
      const error = refusal(user([picture(address)]));
      expect(error.publicCode, address).toBe('remote_image_refused');
      expect(error.message).toContain('data:image/png;base64');
      expect(error.message).not.toContain('passwd');
    }
  });

  it('takes no other data: URLs than pictures in base64', () => {
    const wrong = [
      'data:text/html;base64,AAAA',
      'data:image/svg+xml;base64,AAAA',
      'data:image/png,AAAA',
      'data:image/png;base64,',
      'data:image/png;base64,A',
      'data:image/png;base64,AA*A',
      'data:image/png;base64,AAAA AAAA',
    ];
    for (const url of wrong) expect(refusal(user([picture(url)])).publicCode, url).toBe('invalid_image_url');
  });

  it('reads the bytes of a picture as they were', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
        const url = `data:image/png;base64,${Buffer.from(bytes).toString('base64')}`;
        const { request } = validateChatRequest(user([picture(url)]), model);
        const [part] = request.messages[0]?.content ?? [];
        expect(part).toMatchObject({ type: 'image' });
        expect(typeof part === 'object' && part.type === 'image' && [...(part.image as Uint8Array)]).toEqual([
          ...bytes,
        ]);
      }),
    );
  });

  it('refuses a picture that is too large before it decodes it', () => {
    const url = `data:image/png;base64,${'A'.repeat(Math.ceil(limits.imageBytes / 3) * 4 + 8)}`;
    expect(refusal(user([picture(url)])).publicCode).toBe('image_too_large');
  });

  it('refuses one picture too many, over all messages', () => {
    const messages = Array.from({ length: limits.images + 1 }, () => ({
      role: 'user',
      content: [picture(smallPicture)],
    }));
    expect(refusal({ messages }).publicCode).toBe('too_many_images');
    expect(validateChatRequest({ messages: messages.slice(1) }, model).request.messages).toHaveLength(limits.images);
  });

  it('allows pictures in user messages only', () => {
    const messages = [{ role: 'assistant', content: [picture(smallPicture)] }];
    expect(refusal({ messages }).param).toBe('messages[0].content[0]');
  });

  it('bounds the stop texts in number and length', () => {
    expect(validateChatRequest({ ...user('a'), stop: 'x' }, model).request.stop).toEqual(['x']);
    expect(refusal({ ...user('a'), stop: ['a', 'b', 'c', 'd', 'e'] }).param).toBe('stop');
    expect(refusal({ ...user('a'), stop: [''] }).param).toBe('stop[0]');
    expect(refusal({ ...user('a'), stop: ['x'.repeat(513)] }).param).toBe('stop[0]');
    expect(refusal({ ...user('a'), stop: 5 }).param).toBe('stop');
  });

  it('bounds the text by the context', () => {
    expect(refusal(user('x'.repeat(model.contextLength * limits.charactersPerToken + 1))).param).toBe(
      'messages[0].content',
    );
  });

  it('refuses known fields that it would have to ignore, and takes their neutral values', () => {
    const wrong = {
      tools: [{}],
      logprobs: true,
      frequency_penalty: 1,
      response_format: { type: 'json_object' },
      logit_bias: { 5: 1 },
      n: 2,
    };
    for (const [name, value] of Object.entries(wrong))
      expect(refusal({ ...user('a'), [name]: value }).param, name).toMatch(name);
    const neutral = {
      tools: [],
      logprobs: false,
      frequency_penalty: 0,
      response_format: { type: 'text' },
      logit_bias: {},
      n: 1,
    };
    expect(validateChatRequest({ ...user('a'), ...neutral }, model).stream).toBe(false);
  });

  it('never fails in another way, whatever is sent', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    const message = fc.record(
      { role: fc.oneof(fc.constantFrom('user', 'system', 'assistant'), value), content: value },
      { requiredKeys: [] },
    );
    const body = fc.oneof(
      value,
      fc.record(
        { messages: fc.oneof(fc.array(message), value), stop: value, stream: value, model: value },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(body, (sent) => {
        try {
          validateChatRequest(sent, model);
        } catch (error) {
          expect(error).toBeInstanceOf(RequestError);
          expect((error as RequestError).param).not.toBeNull();
        }
      }),
      { numRuns: 500 },
    );
  });
});
