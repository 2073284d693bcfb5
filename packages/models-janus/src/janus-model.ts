// A model as its users see it: pictures and messages in, words out; words in, pictures out.

import { fromArray, imageToBytes, InvalidArgumentError, read, type Tensor } from '@limen/tensor';

import type { ResolvedCacheOptions } from './generation/cache-options.js';
import { generateImageCodes } from './generation/generate-images.js';
import { generateText } from './generation/generate-text.js';
import { resolveSampling, type SamplingOptions } from './generation/sampling-options.js';
import { runEagerly, type StepRunnerFactory } from './generation/step-runner.js';
import { loadImage } from './image/decode-image.js';
import type { ImageProcessor } from './image/image-processor.js';
import type { DrawnImage } from './image/encode-image.js';
import { janusTokens } from './janus-pro/special-tokens.js';
import type { JanusPro } from './janus-pro/janus-pro.js';
import { type LoadedJanus, loadJanus, type LoadOptions } from './janus-pro/load-janus.js';
import {
  conversationPieces,
  drawingPieces,
  encodePieces,
  expandImages,
  requireImageCount,
  requireRoom,
} from './janus-pro/prompt.js';
import { StopStrings } from './tokenizer/stop-strings.js';
import { TextStream } from './tokenizer/text-stream.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

/** A picture: the path of a file, or its encoded bytes (PNG, JPEG, WebP, GIF). */
export type ImageInput = string | Uint8Array;

/** One part of a message. */
export type ContentPart =
  { readonly type: 'text'; readonly text: string } | { readonly type: 'image'; readonly image: ImageInput };

/** One turn of a conversation. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string | readonly ContentPart[];
}

/** How an answer is made. */
export interface TextOptions extends SamplingOptions {
  /** Most tokens of the answer; default 512, or what the context leaves. */
  readonly maxNewTokens?: number;
  /** Texts that end the answer; they are not part of it. */
  readonly stop?: readonly string[];
  readonly signal?: AbortSignal;
}

/** A conversation to continue. */
export interface ChatRequest extends TextOptions {
  readonly messages: readonly ChatMessage[];
}

/** Pictures and a question about them. */
export interface DescribeRequest extends TextOptions {
  readonly images: readonly ImageInput[];
  /** Default: `Describe this image.` */
  readonly question?: string;
}

/** A piece of an answer. The last one has a `finishReason`. */
export interface TextChunk {
  readonly text: string;
  /** `stop`: the model ended, or a stop text was met; `length`: `maxNewTokens` were made. */
  readonly finishReason?: 'stop' | 'length';
  /** Tokens so far. */
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number };
}

/** A whole answer. */
export interface ChatAnswer {
  readonly text: string;
  /** Token ids, the one that ended the answer included. */
  readonly tokens: readonly number[];
  readonly finishReason: 'stop' | 'length';
}

/** A piece of the answer in a row of a batch, and every token of that row so far. */
interface GeneratedChunk {
  readonly row: number;
  readonly chunk: TextChunk;
  readonly drawn: readonly number[];
}

/** How pictures are drawn. */
export interface DrawOptions extends SamplingOptions {
  /** Weight of the prompt: 1 follows it loosely, 5 closely. Default: what the checkpoint says, else 5. */
  readonly guidance?: number;
  /** Pictures to draw from the one prompt; default 1. Picture `i` uses `seed + i`. */
  readonly count?: number;
  readonly signal?: AbortSignal;
  /** Codes drawn so far, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Pictures as far as they are known, a few times on the way; the rest is the code 0. */
  readonly onPreview?: (images: DrawnImage[], done: number, total: number) => void | Promise<void>;
  /** Codes from one preview to the next, in whole rows; each costs a decode of the picture. Default: four rows. */
  readonly previewEvery?: number;
}

/** A loaded model. Dispose it to free its memory. */
export class JanusModel implements Disposable {
  readonly name: string;
  readonly network: JanusPro;
  readonly tokenizer: Tokenizer;
  /** How keys and values are kept while tokens are made. */
  readonly cache: ResolvedCacheOptions;
  readonly #imageProcessor: ImageProcessor;
  readonly #guidance: number;
  readonly #stepRunner: StepRunnerFactory;

  constructor(
    { name, network, tokenizer, imageProcessor, guidance, cache }: LoadedJanus,
    stepRunner: StepRunnerFactory = runEagerly,
  ) {
    this.#guidance = guidance;
    this.cache = cache;
    this.name = name;
    this.network = network;
    this.tokenizer = tokenizer;
    this.#imageProcessor = imageProcessor;
    this.#stepRunner = stepRunner;
  }

  get device(): string {
    return this.network.device;
  }

  get dtype(): JanusPro['dtype'] {
    return this.network.dtype;
  }

  /** Longest prompt and answer together, in tokens. */
  get contextLength(): number {
    return this.network.config.text.maxPositions;
  }

  /** Side of drawn pictures, in pixels. */
  get imageSize(): number {
    const { gridSize, channelMultipliers } = this.network.config.imageCode;
    return gridSize * 2 ** (channelMultipliers.length - 1);
  }

  /** Codes of a drawn picture. */
  get imageCodes(): number {
    return this.network.config.imageCode.gridSize ** 2;
  }

  /** Answers a question about pictures. See {@link chat}. */
  describe({ images, question = 'Describe this image.', ...options }: DescribeRequest): AsyncGenerator<TextChunk> {
    const pictures = images.map((image) => ({ type: 'image', image }) as const);
    return this.chat({
      ...options,
      messages: [{ role: 'user', content: [...pictures, { type: 'text', text: question }] }],
    });
  }

  /**
   * Continues a conversation, a piece of text at a time.
   *
   * @throws {ImageError} a picture cannot be read
   * @throws {PromptTooLongError} the conversation leaves no room for an answer
   * @throws {InvalidArgumentError} an option outside its range
   * @throws the signal's reason, when it aborts
   */
  async *chat(request: ChatRequest): AsyncGenerator<TextChunk> {
    for await (const { chunk } of this.#generate([request])) yield chunk;
  }

  /**
   * Answers several conversations in one batch: every weight is read once for all of them.
   *
   * @returns the answers in order; options are each request's own
   * @throws see {@link chat}; a signal of any request ends the whole batch
   */
  async chatBatch(requests: readonly ChatRequest[]): Promise<ChatAnswer[]> {
    const answers = requests.map((): ChatAnswer => ({ text: '', tokens: [], finishReason: 'length' }));
    for await (const { row, chunk, drawn } of this.#generate(requests)) {
      const { text = '' } = answers[row] ?? {};
      answers[row] = { text: text + chunk.text, tokens: drawn, finishReason: chunk.finishReason ?? 'length' };
    }
    return answers;
  }

  /**
   * Draws pictures from words.
   *
   * @throws {PromptTooLongError} the prompt and a picture do not fit the context
   * @throws {InvalidArgumentError} an option outside its range
   * @throws the signal's reason, when it aborts
   */
  async draw(prompt: string, { count = 1, ...options }: DrawOptions = {}): Promise<DrawnImage[]> {
    if (!Number.isInteger(count) || count < 1 || count > 64) {
      throw new InvalidArgumentError(
        `draw: count is not allowed: expected 1 to 64, got ${count}. Draw more in several calls.`,
        { option: 'count' },
      );
    }
    return this.drawBatch(new Array<string>(count).fill(prompt), options);
  }

  /**
   * Draws a picture for each of several prompts in one batch: every weight is read once for all of them.
   *
   * @param options - picture `i` uses `seed + i`
   * @returns in the order of the prompts
   * @throws as {@link draw}
   */
  async drawBatch(prompts: readonly string[], options: Omit<DrawOptions, 'count'> = {}): Promise<DrawnImage[]> {
    const { guidance = this.#guidance, signal, onProgress, onPreview } = options;
    signal?.throwIfAborted();
    if (!(guidance >= 0 && guidance <= 100)) {
      throw new InvalidArgumentError(
        `draw: guidance is not allowed: expected 0 to 100, got ${guidance}. Pass 1 to 10; 5 is usual.`,
        { option: 'guidance' },
      );
    }
    const { tokens, imageCode } = this.network.config;
    const { previewEvery = 4 * imageCode.gridSize } = options;
    if (!Number.isInteger(previewEvery) || previewEvery < 1) {
      throw new InvalidArgumentError(
        `draw: previewEvery is not allowed: expected a positive integer, got ${previewEvery}. Leave it out for four rows.`,
        { option: 'previewEvery' },
      );
    }
    const ids = prompts.map((prompt) => encodePieces(this.tokenizer, drawingPieces(prompt)));
    requireRoom(Math.max(...ids.map(({ length }) => length)), imageCode.gridSize ** 2, this.contextLength);
    const base = resolveSampling(options, 1);
    let passed = 0;
    const report = async (codes: Int32Array[], done: number, total: number) => {
      onProgress?.(done, total);
      const marks = Math.floor(done / previewEvery);
      if (onPreview === undefined || done === total || marks === passed) return;
      passed = marks;
      await onPreview(await this.#preview(codes, total), done, total);
    };
    using codes = await generateImageCodes(this.network, {
      prompts: ids,
      padToken: tokens.pad,
      guidance,
      sampling: ids.map((_, index) => ({ ...base, seed: base.seed + index })),
      stepRunner: this.#stepRunner,
      cache: this.cache,
      signal,
      onCodes: onProgress === undefined && onPreview === undefined ? undefined : report,
    });
    return this.#pixels(codes);
  }

  async #preview(codes: readonly Int32Array[], total: number): Promise<DrawnImage[]> {
    const padded = codes.flatMap((known) => [...known, ...new Array<number>(total - known.length).fill(0)]);
    using tensor = fromArray(padded, [codes.length, total], { dtype: 'i32', device: this.device });
    return this.#pixels(tensor);
  }

  async #pixels(codes: Tensor): Promise<DrawnImage[]> {
    using decoded = this.network.decodeImages(codes);
    using bytes = imageToBytes({ x: decoded });
    const values = Uint8Array.from(await read(bytes));
    const [count = 0, height = 0, width = 0] = bytes.shape;
    const size = height * width * 3;
    return Array.from({ length: count }, (_, index) => ({
      width,
      height,
      data: values.slice(index * size, (index + 1) * size),
    }));
  }

  /** Generates for a batch of conversations and turns tokens into text. */
  async *#generate(requests: readonly ChatRequest[]): AsyncGenerator<GeneratedChunk> {
    const signals = requests.flatMap((request) => request.signal ?? []);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
    signal?.throwIfAborted();
    const { tokens, vision } = this.network.config;
    const prompts = requests.map(({ messages }) => {
      const ids = encodePieces(this.tokenizer, conversationPieces(messages));
      requireImageCount(ids, tokens, messages.flatMap(({ content }) => imagesOf(content)).length);
      return expandImages(ids, tokens, vision.imageTokens);
    });
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    const room = requireRoom(longest, 1, this.contextLength);
    const wanted = requests.map(({ maxNewTokens = 512 }) => maxNewTokens);
    for (const count of wanted) {
      if (!Number.isInteger(count) || count < 1) {
        const fix = 'Leave it out for 512, or what the context leaves.';
        throw new InvalidArgumentError(
          `chat: maxNewTokens is not allowed: expected a positive integer, got ${count}. ${fix}`,
          { option: 'maxNewTokens' },
        );
      }
    }
    const maxNewTokens = Math.min(room, Math.max(...wanted));
    using pixels = await this.#pixelTensor(requests);
    const rows = requests.map(({ stop = [] }) => ({
      stream: new TextStream(this.tokenizer),
      stops: new StopStrings([...stop, janusTokens.user]),
      drawn: new Array<number>(),
      ended: false,
    }));
    // A model that goes on with the user's turn has ended its own.
    const ends = [tokens.eos, this.tokenizer.tokenId(janusTokens.user) ?? tokens.eos];
    const generation = generateText(this.network, {
      prompts,
      imageToken: tokens.imagePlaceholder,
      pixels,
      sampling: requests.map((request) => resolveSampling(request, 0)),
      maxNewTokens,
      stopTokens: ends,
      stepRunner: this.#stepRunner,
      cache: this.cache,
      signal,
    });
    for await (const { row, token, last } of generation) {
      const state = rows[row];
      if (state === undefined || state.ended) continue;
      const isEnd = ends.includes(token);
      state.drawn.push(token);
      const isLast = last || state.drawn.length >= (wanted[row] ?? maxNewTokens);
      // A vocabulary may be padded with ids that stand for nothing.
      const piece = isEnd || this.tokenizer.meaningOf(token) === undefined ? '' : state.stream.push(token);
      const { text, stopped } = state.stops.push(piece + (isLast ? state.stream.end() : ''));
      state.ended = isLast || stopped;
      const rest = state.ended && !stopped ? state.stops.end() : '';
      const usage = { promptTokens: prompts[row]?.length ?? 0, completionTokens: state.drawn.length };
      if (state.ended)
        yield {
          row,
          drawn: state.drawn,
          chunk: { text: text + rest, usage, finishReason: isEnd || stopped ? 'stop' : 'length' },
        };
      else if (text !== '') yield { row, drawn: state.drawn, chunk: { text, usage } };
      if (rows.every(({ ended }) => ended)) return;
    }
  }

  /** Every picture of every request, in order, as one tensor. */
  async #pixelTensor(requests: readonly ChatRequest[]): Promise<Tensor | undefined> {
    const inputs = requests.flatMap(({ messages }) => messages.flatMap(({ content }) => imagesOf(content)));
    if (inputs.length === 0) return undefined;
    const side = this.network.config.vision.imageSize;
    const values = new Float32Array(inputs.length * side * side * 3);
    for (const [index, input] of inputs.entries()) {
      values.set(this.#imageProcessor.process(await loadImage(input)), index * side * side * 3);
    }
    return fromArray(values, [inputs.length, side, side, 3], { dtype: this.dtype, device: this.device });
  }

  [Symbol.dispose](): void {
    this.network[Symbol.dispose]();
  }
}

function imagesOf(content: ChatMessage['content']): ImageInput[] {
  return typeof content === 'string' ? [] : content.flatMap((part) => (part.type === 'image' ? [part.image] : []));
}

/**
 * Loads a model from a folder.
 *
 * @returns the caller disposes it
 * @throws see {@link loadJanus}
 *
 * @example
 * using model = await loadModel('Janus-Pro-1B', { device: 'cuda' });
 * for await (const { text } of model.describe({ images: ['cat.png'] })) process.stdout.write(text);
 */
export async function loadModel(folder: string, options: LoadOptions = {}): Promise<JanusModel> {
  // One turn of the event loop before the long part, so that a progress display can appear.
  await new Promise((resolve) => setImmediate(resolve));
  const parts = loadJanus(folder, options);
  options.onProgress?.({ status: 'ready', name: parts.name, loaded: 1, total: 1 });
  return new JanusModel(parts, options.stepRunner);
}
