import { LimenError } from '@limen/tensor';

/** What can go wrong between text and ids; one code per kind. */
export type TokenizerErrorCode =
  | 'TOKENIZER_INVALID'
  | 'TOKENIZER_NOT_SUPPORTED'
  | 'TOKENIZER_TOKEN_MISSING'
  | 'TOKENIZER_ID_UNKNOWN'
  | 'TOKENIZER_TEXT_TOO_LONG';

/** A tokenizer file that cannot be used, or a text or id it cannot turn. */
export class TokenizerError extends LimenError {
  declare readonly code: TokenizerErrorCode;

  constructor(
    code: TokenizerErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, message, details, options);
  }
}
