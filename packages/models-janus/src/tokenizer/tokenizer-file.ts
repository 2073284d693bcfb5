// Checks tokenizer.json and takes out what the tokenizer needs. Anything that would change ids and is not implemented is
// refused, so that a tokenizer either gives the reference's ids or none.

import { TokenizerError } from '../errors/tokenizer-error.js';
import type { AddedToken } from './added-tokens.js';
import type { BytePairModel } from './byte-pair-encoder.js';

/** A checked tokenizer.json. */
export interface TokenizerFile {
  readonly model: BytePairModel;
  readonly addedTokens: readonly AddedToken[];
  /** The `pre_tokenizer`, still as JSON. */
  readonly splitting: unknown;
  /** Ids put before a text. */
  readonly prefix: readonly number[];
  /** Ids put after a text. */
  readonly suffix: readonly number[];
}

const largestVocabulary = 1_000_000;

type Json = Readonly<Record<string, unknown>>;

/**
 * @param json - parsed tokenizer.json
 * @param config - parsed tokenizer_config.json, or `{}`
 * @throws {TokenizerError}
 */
export function readTokenizerFile(json: unknown, config: unknown): TokenizerFile {
  const root = objectOf(json, 'tokenizer.json');
  const model = readModel(objectOf(root.model, 'model'));
  const addedTokens = listOf(root.added_tokens ?? [], 'added_tokens').map(readAddedToken);
  requireEmpty(root.normalizer, 'normalizer', 'normalizers');
  const decoder = objectOf(root.decoder, 'decoder');
  if (decoder.type !== 'ByteLevel') notSupported(`decoder is expected to be ByteLevel, got ${String(decoder.type)}`);
  const template = findTemplate(root.post_processor);
  const settings = objectOf(config, 'tokenizer_config.json');
  const around = template === undefined ? readSettings(settings, addedTokens) : readTemplate(template, addedTokens);
  return { model, addedTokens, splitting: root.pre_tokenizer, ...around };
}

function readModel(model: Json): BytePairModel {
  if (model.type !== 'BPE' && model.type !== undefined)
    notSupported(`model is expected to be BPE, got ${String(model.type)}`);
  for (const field of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    const value = model[field];
    if (value !== null && value !== undefined && value !== '' && value !== 0)
      notSupported(`model.${field} is expected to be null`);
  }
  if (model.byte_fallback === true) notSupported('model.byte_fallback is expected to be false');
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(objectOf(model.vocab, 'model.vocab')))
    vocabulary.set(token, readId(id, `vocabulary entry "${token.slice(0, 40)}"`));
  if (vocabulary.size > largestVocabulary) invalid(`vocabulary is too large: got ${vocabulary.size}`);
  const merges = listOf(model.merges, 'model.merges').map((merge, rank): readonly [string, string] => {
    // Older files write "left right", newer ones ["left", "right"].
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left, right, ...rest] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof left !== 'string' || typeof right !== 'string' || rest.length > 0)
      return invalid(`merge ${rank} is no pair`);
    return [left, right];
  });
  return { vocabulary, merges, ignoreMerges: model.ignore_merges === true };
}

function readAddedToken(value: unknown): AddedToken {
  const token = objectOf(value, 'added_tokens entry');
  if (typeof token.content !== 'string') return invalid('an added token has no content');
  for (const flag of ['lstrip', 'rstrip', 'single_word']) {
    if (token[flag] === true) notSupported(`${flag} of the added token "${token.content}" is expected to be false`);
  }
  return {
    id: readId(token.id, `added token "${token.content.slice(0, 40)}"`),
    content: token.content,
    special: token.special === true,
  };
}

function readId(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 * largestVocabulary) return value;
  return invalid(`${what} has a bad id`);
}

function requireEmpty(value: unknown, name: string, list: string): void {
  if (value === null || value === undefined) return;
  const items = objectOf(value, name)[list];
  if (!Array.isArray(items) || items.length > 0) notSupported(`${name} is expected to be null`);
}

function findTemplate(value: unknown): Json | undefined {
  if (value === null || value === undefined) return undefined;
  const processor = objectOf(value, 'post_processor');
  if (processor.type === 'TemplateProcessing') return processor;
  if (processor.type === 'ByteLevel') return undefined;
  if (processor.type !== 'Sequence')
    return notSupported(`post_processor is expected to be TemplateProcessing, got ${String(processor.type)}`);
  return listOf(processor.processors, 'post_processor.processors')
    .map(findTemplate)
    .find((template) => template !== undefined);
}

function readTemplate(template: Json, tokens: readonly AddedToken[]): Pick<TokenizerFile, 'prefix' | 'suffix'> {
  const prefix: number[] = [];
  const suffix: number[] = [];
  let target = prefix;
  for (const entry of listOf(template.single, 'post_processor.single')) {
    const part = objectOf(entry, 'post_processor.single entry');
    if (part.SpecialToken === undefined) target = suffix;
    else target.push(idOfText(objectOf(part.SpecialToken, 'SpecialToken').id, tokens));
  }
  return { prefix, suffix };
}

// Without a template the Llama tokenizer class adds what its settings say.
function readSettings(settings: Json, tokens: readonly AddedToken[]): Pick<TokenizerFile, 'prefix' | 'suffix'> {
  return {
    prefix: settings.add_bos_token === true ? [idOfText(settings.bos_token, tokens)] : [],
    suffix: settings.add_eos_token === true ? [idOfText(settings.eos_token, tokens)] : [],
  };
}

function idOfText(text: unknown, tokens: readonly AddedToken[]): number {
  const found = tokens.find((token) => token.content === text);
  return found === undefined ? invalid(`the special token ${String(text)} is not among the added tokens`) : found.id;
}

function objectOf(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  return invalid(`${what} is no object`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : invalid(`${what} is no list`);
}

function invalid(problem: string): never {
  throw new TokenizerError('TOKENIZER_INVALID', `tokenizer: ${problem}. Download tokenizer.json again.`);
}

function notSupported(problem: string): never {
  throw new TokenizerError('TOKENIZER_NOT_SUPPORTED', `tokenizer: ${problem}. Janus-Pro's tokenizer has no such part.`);
}
