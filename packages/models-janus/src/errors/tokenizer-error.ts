import { LimenError } from '@limen/tensor';

/** What can go wrong between text and ids; one code per kind. */
export type TokenizerErrorCode =
  | 'TOKENIZER_INVALID'
  | 'TOKENIZER_NOT_SUPPORTED'
  | 'TOKENIZER_TOKEN_MISSING'
  | 'TOKENIZER_ID_UNKNOWN'
  | 'TOKENIZER_TEXT_TOO_LONG';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<TokenizerErrorCode, string>>> = {
  TOKENIZER_INVALID: 'Download tokenizer.json again.',
  TOKENIZER_ID_UNKNOWN: 'Decode only ids that this tokenizer made; a vocabulary may be padded.',
  TOKENIZER_TEXT_TOO_LONG: 'Encode it in parts.',
};

/** A tokenizer file that cannot be used, or a text or id it cannot turn. */
export class TokenizerError extends LimenError {
  declare readonly code: TokenizerErrorCode;

  constructor(
    code: TokenizerErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(message, advice[code]), details, options);
  }
}
