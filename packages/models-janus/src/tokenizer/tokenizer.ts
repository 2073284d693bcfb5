// Text to ids and back, as tokenizer.json describes it: byte-level byte pair encoding with added tokens. Parsing of
// patterns is left to @huggingface/tokenizers; the encoder is our own, because ids in typed arrays are an order of
// magnitude faster than strings in a heap.

import { TokenizerError } from '../errors/tokenizer-error.js';
import { readJsonFile } from '../janus-pro/config-fields.js';
import { AddedTokenFinder, type AddedToken } from './added-tokens.js';
import { bytesOfToken } from './byte-alphabet.js';
import { BytePairEncoder } from './byte-pair-encoder.js';
import { type TokenMeaning, type TokenMeanings, TextStream } from './text-stream.js';
import { createTextSplitter } from './text-splitter.js';
import { readTokenizerFile, type TokenizerFile } from './tokenizer-file.js';

/** How a text is encoded. */
export interface EncodeOptions {
  /** Put the tokens around a text that the tokenizer's template asks for, e.g. BOS. Default true. */
  readonly addSpecialTokens?: boolean;
  /** Take the texts of special tokens for these tokens. False for text of strangers. Default true. */
  readonly parseSpecialTokens?: boolean;
}

/** How ids are decoded. */
export interface DecodeOptions {
  /** Leave special tokens out of the text. Default true. */
  readonly skipSpecialTokens?: boolean;
}

/** Longest text that is encoded, in UTF-16 units; more is refused before any work is done. */
export const longestText = 4 * 2 ** 20;

/** A tokenizer; immutable, and safe to share. */
export class Tokenizer implements TokenMeanings {
  /** One more than the largest id. */
  readonly vocabularySize: number;
  private readonly encoder: BytePairEncoder;
  private readonly split: (text: string) => readonly string[];
  private readonly allTokens: AddedTokenFinder;
  private readonly plainTokens: AddedTokenFinder;
  private readonly addedByText: ReadonlyMap<string, AddedToken>;
  private readonly addedById: ReadonlyMap<number, TokenMeaning>;
  /** Spellings of the vocabulary by id. What they mean is worked out when it is asked for: few of them ever are. */
  private readonly spellings: readonly (string | undefined)[];

  /**
   * Reads a tokenizer.
   *
   * @param files.tokenizer - path of tokenizer.json
   * @param files.tokenizerConfig - path of tokenizer_config.json
   * @throws {TokenizerError} the tokenizer is damaged or of a kind that Janus-Pro does not use
   * @throws {ConfigError} a file is missing or no JSON
   */
  static load(files: { readonly tokenizer: string; readonly tokenizerConfig?: string }): Tokenizer {
    const settings = files.tokenizerConfig === undefined ? {} : readJsonFile(files.tokenizerConfig);
    return new Tokenizer(readTokenizerFile(readJsonFile(files.tokenizer), settings));
  }

  constructor(private readonly file: TokenizerFile) {
    this.encoder = new BytePairEncoder(file.model);
    this.split = createTextSplitter(file.splitting);
    this.allTokens = new AddedTokenFinder(file.addedTokens);
    this.plainTokens = new AddedTokenFinder(file.addedTokens.filter((token) => !token.special));
    this.addedByText = new Map(file.addedTokens.map((token) => [token.content, token]));
    this.addedById = new Map(file.addedTokens.map(({ id, content, special }) => [id, { text: content, special }]));
    const spellings: (string | undefined)[] = [];
    for (const [token, id] of file.model.vocabulary) spellings[id] = token;
    this.spellings = spellings;
    this.vocabularySize = Math.max(spellings.length, ...file.addedTokens.map(({ id }) => id + 1));
  }

  /**
   * @returns ids, in order
   * @throws {TokenizerError} the text is longer than {@link longestText}
   */
  encode(text: string, { addSpecialTokens = true, parseSpecialTokens = true }: EncodeOptions = {}): number[] {
    if (text.length > longestText) {
      throw new TokenizerError(
        'TOKENIZER_TEXT_TOO_LONG',
        `encode: text is too long: expected at most ${longestText} characters, got ${text.length}.`,
        {
          length: text.length,
        },
      );
    }
    const ids: number[] = addSpecialTokens ? [...this.file.prefix] : [];
    const finder = parseSpecialTokens ? this.allTokens : this.plainTokens;
    for (const section of finder.split(text)) {
      if (typeof section !== 'string') ids.push(section.id);
      else for (const piece of this.split(section)) this.encoder.encode(piece, ids);
    }
    if (addSpecialTokens) ids.push(...this.file.suffix);
    return ids;
  }

  /**
   * @returns text; incomplete characters become U+FFFD
   * @throws {TokenizerError} the vocabulary lacks an id
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const stream = this.stream(options);
    const parts: string[] = [];
    for (const id of ids) parts.push(stream.push(id));
    parts.push(stream.end());
    return parts.join('');
  }

  /** A decoder that takes ids one by one. */
  stream(options: DecodeOptions = {}): TextStream {
    return new TextStream(this, options);
  }

  /** What an id stands for; undefined if the vocabulary lacks it. */
  meaningOf(id: number): TokenMeaning | undefined {
    const added = this.addedById.get(id);
    if (added !== undefined) return added;
    const spelling = this.spellings[id];
    if (spelling === undefined) return undefined;
    const bytes = bytesOfToken(spelling);
    return bytes === undefined ? { text: spelling, special: false } : { bytes, special: false };
  }

  /** Id of an added token by its text; undefined if there is none. */
  tokenId(text: string): number | undefined {
    return this.addedByText.get(text)?.id;
  }

  /**
   * Id of an added token that must be there.
   * @throws {TokenizerError}
   */
  requireTokenId(text: string): number {
    const id = this.tokenId(text);
    if (id !== undefined) return id;
    throw new TokenizerError(
      'TOKENIZER_TOKEN_MISSING',
      `tokenizer: token not found: expected ${text}. Is it the tokenizer of this model?`,
      { token: text },
    );
  }

  /** Whether an id is a special token. */
  isSpecial(id: number): boolean {
    return this.addedById.get(id)?.special ?? false;
  }

  /** Whether the vocabulary has an id. */
  hasId(id: number): boolean {
    return this.addedById.has(id) || this.spellings[id] !== undefined;
  }
}
