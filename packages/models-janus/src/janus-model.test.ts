// What users of a model rely on: limits, options, cancellation, batches, seeds, ends of answers, and no memory left behind.

import { join } from 'node:path';

import { leakReport, LimenError } from '@limen/tensor';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { runCaptured } from './golden/golden-run.js';
import { findGoldenFolder } from './golden/find-golden.js';
import type { DrawnImage } from './image/encode-image.js';
import type { JanusModel } from './janus-model.js';
import { type ChatRequest, type DrawOptions, loadModel, type TextChunk } from './janus-model.js';

const folder = findGoldenFolder('janus-a').path ?? '';
const picture = join(folder, 'images', 'img0.png');
let model: JanusModel;
let aliveAtStart: number;
let aliveBefore: number;

beforeAll(async () => {
  aliveAtStart = leakReport().length;
  model = await loadModel(folder);
});

afterAll(() => {
  model[Symbol.dispose]();
  expect(leakReport().length, 'tensors that outlive their model').toBe(aliveAtStart);
});

beforeEach(() => {
  aliveBefore = leakReport().length;
});

afterEach(() => {
  expect(leakReport().length, 'tensors that outlive their call').toBe(aliveBefore);
});

const ask = (content: string, options: Omit<ChatRequest, 'messages'> = {}): ChatRequest => ({
  maxNewTokens: 12,
  ...options,
  messages: [{ role: 'user', content }],
});

async function collect(chunks: AsyncIterable<TextChunk>): Promise<TextChunk[]> {
  const collected: TextChunk[] = [];
  for await (const chunk of chunks) collected.push(chunk);
  return collected;
}

const textOf = (chunks: readonly TextChunk[]) => chunks.map(({ text }) => text).join('');

async function answer(request: ChatRequest): Promise<string> {
  return textOf(await collect(model.chat(request)));
}

async function errorOf(work: Promise<unknown>): Promise<LimenError> {
  try {
    await work;
  } catch (error) {
    if (LimenError.isInstance(error)) return error;
    throw error;
  }
  throw new LimenError('NOTHING_THROWN', 'the call went through.');
}

const pixelsOf = (images: readonly DrawnImage[]) => images.map(({ data }) => Buffer.from(data).toString('base64'));

describe('a prompt', () => {
  it('longer than the context is refused with its length and the room there is', async () => {
    const error = await errorOf(answer(ask('a b '.repeat(1000))));
    expect(error.code).toBe('PROMPT_TOO_LONG');
    expect(error.details).toMatchObject({ contextLength: 1024, neededTokens: 1 });
    expect(error.message).toMatch(/expected at most 1023 tokens .+, got \d{4}\. Shorten it/);
  });

  it('that leaves no room for a picture is refused before anything is drawn', async () => {
    let steps = 0;
    const error = await errorOf(model.draw('a b '.repeat(1000), { onProgress: () => steps++ }));
    expect(error.code).toBe('PROMPT_TOO_LONG');
    expect(steps).toBe(0);
  });

  it('counts against the context: the answer ends where the context ends', async () => {
    const messages = ask('x'.repeat(800));
    const last = (await collect(model.chat({ ...messages, maxNewTokens: 1 }))).at(-1);
    const room = model.contextLength - (last?.usage.promptTokens ?? 0);
    expect(room).toBeLessThan(200);
    const end = (await collect(model.chat({ ...messages, maxNewTokens: 4096 }))).at(-1);
    expect(end?.usage.completionTokens).toBeLessThanOrEqual(room);
    expect(end?.finishReason).toBeDefined();
  });

  it('without a turn is refused', async () => {
    expect((await errorOf(collect(model.chat({ messages: [] })))).code).toBe('PROMPT_EMPTY');
  });

  it('with a picture that cannot be read is refused and frees what it had', async () => {
    const error = await errorOf(collect(model.describe({ images: [picture, join(folder, 'config.json')] })));
    expect(error.code).toBe('IMAGE_FORMAT_NOT_SUPPORTED');
  });
});

describe('an option outside its range is refused with the range and what came', () => {
  it.each<[Partial<ChatRequest>, string]>([
    [{ temperature: -1 }, 'temperature'],
    [{ temperature: NaN }, 'temperature'],
    [{ topK: 1.5 }, 'topK'],
    [{ topP: 0 }, 'topP'],
    [{ topP: 1.01 }, 'topP'],
    [{ seed: -1 }, 'seed'],
    [{ maxNewTokens: 0 }, 'maxNewTokens'],
    [{ maxNewTokens: 2.5 }, 'maxNewTokens'],
  ])('chat %o', async (options, name) => {
    const error = await errorOf(answer(ask('hello', options)));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: name } });
    expect(error.message).toMatch(
      new RegExp(`${name} is not allowed: expected .+, got ${Object.values(options)[0]}\\. .+\\.$`),
    );
  });

  it.each<[DrawOptions, string]>([
    [{ count: 0 }, 'count'],
    [{ count: 65 }, 'count'],
    [{ guidance: -1 }, 'guidance'],
    [{ guidance: NaN }, 'guidance'],
    [{ topP: 2 }, 'topP'],
    [{ previewEvery: 0 }, 'previewEvery'],
  ])('draw %o', async (options, name) => {
    const error = await errorOf(model.draw('a disc', options));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { option: name } });
    expect(error.message).toMatch(
      new RegExp(`${name} is not allowed: expected .+, got ${Object.values(options)[0]}\\. .+\\.$`),
    );
  });
});

describe('an abort', () => {
  const reason = new Error('the client left');

  it('before the start comes through, and no token is made', async () => {
    const chunks: TextChunk[] = [];
    const read = async () => {
      for await (const chunk of model.chat(ask('hello', { signal: AbortSignal.abort(reason) }))) chunks.push(chunk);
    };
    await expect(read()).rejects.toBe(reason);
    expect(chunks).toEqual([]);
    // Nothing is read either: the missing picture would be another error.
    const described = model.describe({ images: ['no-such-picture.png'], signal: AbortSignal.abort(reason) });
    await expect(described.next()).rejects.toBe(reason);
    await expect(model.draw('a disc', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('comes through while text is made', async () => {
    const controller = new AbortController();
    let chunks = 0;
    const read = async () => {
      for await (const _ of model.chat(
        ask('hello', { signal: controller.signal, maxNewTokens: 200, temperature: 1, seed: 1 }),
      )) {
        if (++chunks === 2) controller.abort(reason);
      }
    };
    await expect(read()).rejects.toBe(reason);
    expect(chunks).toBeLessThan(6);
  });

  it('comes through while a picture is drawn', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const onProgress = (done: number) => {
      seen.push(done);
      controller.abort(reason);
    };
    await expect(model.draw('a disc', { signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect(seen).toEqual([4]);
  });

  it('of any request ends a batch', async () => {
    const requests = [ask('one'), ask('two', { signal: AbortSignal.abort(reason) })];
    await expect(model.chatBatch(requests)).rejects.toBe(reason);
  });

  it('by leaving the loop frees the cache of the answer', async () => {
    for await (const _ of model.chat(ask('hello', { maxNewTokens: 200 }))) break;
    expect(leakReport().length).toBe(aliveBefore);
  });
});

describe('a batch', () => {
  it.each([
    ['greedy', {}],
    ['sampled', { temperature: 1, topP: 0.95, seed: 7 }],
  ])('gives every conversation the answer that it gets alone: %s', async (_title, options) => {
    const requests = ['hello', 'How many discs are there, and which of them is red?', 'x'].map((text) =>
      ask(text, options),
    );
    const alone: string[] = [];
    for (const request of requests) alone.push(await answer(request));
    const together = await model.chatBatch(requests);
    expect(together.map(({ text }) => text)).toEqual(alone);
    expect(new Set(alone).size).toBeGreaterThan(1);
  });

  it('keeps to the limit of each conversation', async () => {
    const requests = [ask('hello', { maxNewTokens: 3 }), ask('hello', { maxNewTokens: 12 })];
    const [short, long] = await model.chatBatch(requests);
    expect(short?.text).toBe(await answer(ask('hello', { maxNewTokens: 3 })));
    expect(long?.text).toBe(await answer(ask('hello', { maxNewTokens: 12 })));
    expect(short?.finishReason).toBe('length');
  });

  it('of nothing is nothing', async () => {
    expect(await model.chatBatch([])).toEqual([]);
  });
});

describe('a seed', () => {
  it('decides the picture: the same one again, another one with another seed', async () => {
    const first = pixelsOf(await model.draw('a disc', { seed: 5, temperature: 1 }));
    expect(pixelsOf(await model.draw('a disc', { seed: 5, temperature: 1 }))).toEqual(first);
    expect(pixelsOf(await model.draw('a disc', { seed: 6, temperature: 1 }))).not.toEqual(first);
  });

  it('counts up over the pictures of one call, which do not influence each other', async () => {
    const both = pixelsOf(await model.draw('a disc', { seed: 5, count: 2 }));
    const apart = [await model.draw('a disc', { seed: 5 }), await model.draw('a disc', { seed: 6 })];
    expect(both).toEqual(apart.flatMap(pixelsOf));
  });

  it('decides the text', async () => {
    const sampled = (seed: number) => answer(ask('hello', { temperature: 1.5, seed }));
    expect(await sampled(1)).toBe(await sampled(1));
    expect(await sampled(1)).not.toBe(await sampled(2));
  });

  it('gives the same picture through captured steps', async () => {
    using captured = await loadModel(folder, { stepRunner: runCaptured });
    expect(pixelsOf(await captured.draw('a disc', { seed: 5 }))).toEqual(
      pixelsOf(await model.draw('a disc', { seed: 5 })),
    );
  });
});

describe('the end of an answer', () => {
  it('is its length when maxNewTokens were made', async () => {
    const last = (await collect(model.chat(ask('hello', { maxNewTokens: 5 })))).at(-1);
    expect(last).toMatchObject({ finishReason: 'length', usage: { completionTokens: 5 } });
  });

  it('is a stop text, which is cut off with all that follows', async () => {
    const whole = await answer(ask('hello'));
    const stop = whole.slice(3, 6);
    const chunks = await collect(model.chat(ask('hello', { stop: ['never in it', stop] })));
    expect(textOf(chunks)).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(chunks.at(-1)?.finishReason).toBe('stop');
    expect(chunks.filter(({ finishReason }) => finishReason !== undefined)).toHaveLength(1);
  });

  it('leaves the text whole when a stop text is met only in part', async () => {
    const whole = await answer(ask('hello'));
    const chunks = await collect(model.chat(ask('hello', { stop: [`${whole.slice(-2)}and more`] })));
    expect(textOf(chunks)).toBe(whole);
    expect(chunks.at(-1)?.finishReason).toBe('length');
  });
});

it('is called as its folder is, unless a name is given', async () => {
  expect(model.name).toBe('janus-a');
  using named = await loadModel(folder, { name: 'small' });
  expect(named.name).toBe('small');
});

describe('pictures', () => {
  it('are drawn at the size the model was made for, and previewed on the way', async () => {
    const previews: [number, number, number][] = [];
    const images = await model.draw('a disc', {
      seed: 1,
      previewEvery: 4,
      onPreview: ([preview], done, total) => void previews.push([preview?.width ?? 0, done, total]),
    });
    expect(images.map(({ width, height, data }) => [width, height, data.length])).toEqual([[16, 16, 768]]);
    expect(previews).toEqual([4, 8, 12].map((done) => [16, done, 16]));
  });

  it.each([
    [1, [4, 8, 12]],
    [6, [8, 12]],
    [8, [8]],
    [undefined, []],
  ])('are previewed every %j codes, in whole rows, and not decoded in between', async (previewEvery, expected) => {
    const decode = vi.spyOn(model.network, 'decodeImages');
    const previews: number[] = [];
    const every = previewEvery === undefined ? {} : { previewEvery };
    await model.draw('a disc', { ...every, onPreview: (_, done) => void previews.push(done) });
    expect(previews).toEqual(expected);
    expect(decode).toHaveBeenCalledTimes(expected.length + 1);
    decode.mockRestore();
  });

  it('can be described', async () => {
    const chunks = await collect(model.describe({ images: [picture], maxNewTokens: 4 }));
    expect(chunks.at(-1)?.usage.promptTokens).toBeGreaterThan(16);
    expect(textOf(chunks)).not.toBe('');
  });
});
