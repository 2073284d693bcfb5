// The conversation format Janus-Pro was trained on, as text and as token ids.
// Source: janus/utils/conversation.py and processing_vlm.py, template "deepseek".

import { PromptError } from '../errors/prompt-error.js';
import { PromptTooLongError } from '../errors/prompt-too-long-error.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { TokenConfig } from './config-types.js';
import { janusTokens } from './special-tokens.js';

/** One part of a message: words, or the place of a picture. Further fields are ignored. */
export type PromptPart = { readonly type: 'text'; readonly text: string } | { readonly type: 'image' };

/** One turn. A system message replaces {@link understandingSystemPrompt}. */
export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string | readonly PromptPart[];
}

/** Text as somebody wrote it, or a special token that structures the prompt. */
export type PromptPiece = string | { readonly special: string };

/** What the model was told when it learnt to describe pictures. */
export const understandingSystemPrompt =
  'You are a helpful language and vision assistant. You are able to understand the visual content that the user provides, ' +
  'and assist the user with a variety of tasks using natural language.';

/** How a conversation is written down. */
export interface ConversationOptions {
  /** Stands before the first turn unless a system message does; `''` for none. Default {@link understandingSystemPrompt}. */
  readonly system?: string;
}

/**
 * Writes a conversation as pieces. It ends with an open turn of the assistant, or in its unfinished last message.
 *
 * @throws {PromptError} there is no turn, or a role is unknown
 */
export function conversationPieces(
  messages: readonly PromptMessage[],
  options: ConversationOptions = {},
): readonly PromptPiece[] {
  const turns = messages.filter(({ role }) => role !== 'system');
  const last = turns.at(-1);
  if (last === undefined)
    throw new PromptError('PROMPT_EMPTY', 'conversation: messages are empty: expected at least one of a user.');
  const systems = messages.filter(({ role }) => role === 'system').map(({ content }) => strip(plainText(content)));
  const system = systems.length > 0 ? systems.join('\n\n') : (options.system ?? understandingSystemPrompt);
  const pieces: PromptPiece[] = system === '' ? [] : [`${system}\n\n`];
  for (const { role, content } of turns) {
    const isUser = role === 'user';
    if (!isUser && role !== 'assistant') {
      throw new PromptError(
        'PROMPT_ROLE_UNKNOWN',
        `conversation: role is unknown: expected system, user or assistant, got ${String(role)}.`,
        { role },
      );
    }
    pieces.push({ special: isUser ? janusTokens.user : janusTokens.assistant });
    const body = contentPieces(content);
    if (body.length === 0) pieces.push(':');
    else pieces.push(': ', ...body, isUser ? '\n\n' : { special: janusTokens.eos });
  }
  if (last.role === 'user') pieces.push({ special: janusTokens.assistant }, ':');
  // The end of a text closes the assistant's turn; an answer to be continued stays open.
  else if (typeof pieces.at(-1) !== 'string') pieces.pop();
  return pieces;
}

/** Writes the request for a picture; the model goes on with image codes. */
export function drawingPieces(prompt: string): readonly PromptPiece[] {
  return [
    ...conversationPieces([{ role: 'user', content: prompt }], { system: '' }),
    { special: janusTokens.beginOfImage },
  ];
}

/** The text of pieces, stripped as the reference does. For encoding prefer {@link encodePieces}. */
export function promptText(pieces: readonly PromptPiece[]): string {
  return strip(pieces.map((piece) => (typeof piece === 'string' ? piece : piece.special)).join(''));
}

/** A conversation as text. */
export function conversationPrompt(messages: readonly PromptMessage[], options: ConversationOptions = {}): string {
  return promptText(conversationPieces(messages, options));
}

/** The request for a picture as text. */
export function drawingPrompt(prompt: string): string {
  return promptText(drawingPieces(prompt));
}

/**
 * Encodes pieces. Special tokens come from the format alone: a user who types `<|Assistant|>` or `<image_placeholder>` gets
 * these letters, not the tokens, and can neither end his turn nor call for a picture.
 *
 * @returns ids with what the tokenizer puts before a text (BOS); placeholders are not yet expanded
 */
export function encodePieces(tokenizer: Tokenizer, pieces: readonly PromptPiece[]): number[] {
  const ids = tokenizer.encode('');
  let text = '';
  const flush = () => {
    if (text !== '')
      for (const id of tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false })) ids.push(id);
    text = '';
  };
  for (const piece of pieces) {
    const id = typeof piece === 'string' ? undefined : tokenizer.tokenId(piece.special);
    // Neighbouring text is encoded as one, since tokens may reach across; roles that are no tokens of their own are text too.
    if (id === undefined) text += typeof piece === 'string' ? piece : piece.special;
    else {
      flush();
      ids.push(id);
    }
  }
  flush();
  return ids;
}

/**
 * Makes room for pictures: every placeholder becomes begin, `imageTokens` placeholders, end.
 *
 * @param imageTokens - rows per picture
 */
export function expandImages(ids: readonly number[], tokens: TokenConfig, imageTokens: number): number[] {
  const expanded: number[] = [];
  for (const id of ids) {
    if (id !== tokens.imagePlaceholder) expanded.push(id);
    else {
      expanded.push(tokens.beginOfImage);
      for (let row = 0; row < imageTokens; row++) expanded.push(id);
      expanded.push(tokens.endOfImage);
    }
  }
  return expanded;
}

/**
 * Checks that a prompt has a place for every picture and a picture for every place.
 *
 * @param ids - before {@link expandImages}
 * @throws {PromptError} with both counts
 */
export function requireImageCount(ids: readonly number[], tokens: TokenConfig, images: number): void {
  const places = ids.filter((id) => id === tokens.imagePlaceholder).length;
  if (places === images) return;
  throw new PromptError(
    'PROMPT_IMAGE_COUNT',
    `prompt has ${places} places for pictures: expected one for each of ${images}.`,
    { places, images },
  );
}

/**
 * The prompt without its words, for guidance: every id but the first and the last becomes the pad token.
 *
 * @param ids - a drawing prompt, from BOS to begin of image
 */
export function unconditionalIds(ids: readonly number[], pad: number): number[] {
  return ids.map((id, index) => (index === 0 || index === ids.length - 1 ? id : pad));
}

/**
 * Checks that a prompt leaves room.
 *
 * @param promptTokens - after {@link expandImages}
 * @param neededTokens - least length of the answer
 * @returns tokens left for the answer
 * @throws {PromptTooLongError}
 */
export function requireRoom(promptTokens: number, neededTokens: number, contextLength: number): number {
  const room = contextLength - promptTokens;
  if (room < neededTokens) throw new PromptTooLongError(promptTokens, neededTokens, contextLength);
  return room;
}

// Pictures stand on lines of their own; two texts in a row are joined by a space, as transformers' template does.
function contentPieces(content: PromptMessage['content']): readonly PromptPiece[] {
  const parts: readonly PromptPart[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  const pieces: PromptPiece[] = [];
  parts.forEach((part, index) => {
    if (index > 0) pieces.push(part.type === 'image' || parts[index - 1]?.type === 'image' ? '\n' : ' ');
    pieces.push(part.type === 'image' ? { special: janusTokens.imagePlaceholder } : part.text);
  });
  return stripPieces(pieces);
}

// Strips the ends of a message, through pieces of nothing but white space.
function stripPieces(pieces: readonly PromptPiece[]): readonly PromptPiece[] {
  const stripped = [...pieces];
  for (let first = stripped[0]; typeof first === 'string'; first = stripped[0]) {
    stripped[0] = stripStart(first);
    if (stripped[0] !== '') break;
    stripped.shift();
  }
  for (let last = stripped.at(-1); typeof last === 'string'; last = stripped.at(-1)) {
    stripped[stripped.length - 1] = stripEnd(last);
    if (stripped.at(-1) !== '') break;
    stripped.pop();
  }
  return stripped;
}

function plainText(content: PromptMessage['content']): string {
  return typeof content === 'string'
    ? content
    : content.map((part) => (part.type === 'text' ? part.text : '')).join(' ');
}

// What Python's str.strip() takes off, which differs from String.trim() in a few control characters and the byte order mark.
const pythonSpace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;

function stripStart(text: string): string {
  let start = 0;
  while (start < text.length && pythonSpace.test(text.charAt(start))) start++;
  return text.slice(start);
}

function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && pythonSpace.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

function strip(text: string): string {
  return stripEnd(stripStart(text));
}
