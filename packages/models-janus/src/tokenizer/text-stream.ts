// Turns ids into text one at a time. A character whose bytes are spread over several tokens comes out when it is complete.

import { TokenizerError } from '../errors/tokenizer-error.js';

/** What a token stands for: bytes of UTF-8, or the text of an added token. */
export interface TokenMeaning {
  readonly bytes?: Uint8Array;
  readonly text?: string;
  readonly special: boolean;
}

/** What a decoder asks a vocabulary; a `Tokenizer` is one. */
export interface TokenMeanings {
  /** Undefined for an id the vocabulary lacks. */
  meaningOf(id: number): TokenMeaning | undefined;
}

/** Decodes a stream of token ids. */
export class TextStream {
  private readonly utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

  private readonly skipSpecialTokens: boolean;

  /** @param options.skipSpecialTokens - leave special tokens out of the text; default true */
  constructor(
    private readonly vocabulary: TokenMeanings,
    options: { readonly skipSpecialTokens?: boolean } = {},
  ) {
    this.skipSpecialTokens = options.skipSpecialTokens ?? true;
  }

  /**
   * The text that `id` completes; empty while a character is incomplete.
   * @throws {TokenizerError} the vocabulary has no such id
   */
  push(id: number): string {
    const meaning = this.vocabulary.meaningOf(id);
    if (meaning === undefined) {
      throw new TokenizerError('TOKENIZER_ID_UNKNOWN', `TextStream: id is not in the vocabulary: got ${id}.`, { id });
    }
    if (meaning.special && this.skipSpecialTokens) return '';
    if (meaning.bytes !== undefined) return this.utf8.decode(meaning.bytes, { stream: true });
    return this.utf8.decode() + (meaning.text ?? '');
  }

  /** What is left at the end: a replacement character if the last character is incomplete, else nothing. */
  end(): string {
    return this.utf8.decode();
  }
}
