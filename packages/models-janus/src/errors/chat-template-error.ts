import { LimenError } from '@limen/tensor';

/** What can go wrong with a chat template; one code per kind. */
export type ChatTemplateErrorCode =
  | 'CHAT_TEMPLATE_TOO_LARGE'
  | 'CHAT_TEMPLATE_INVALID'
  | 'CHAT_TEMPLATE_NOT_ALLOWED'
  | 'CHAT_TEMPLATE_LIMIT'
  | 'CHAT_TEMPLATE_RAISED'
  | 'CHAT_TEMPLATE_FAILED';

/** A chat template that is refused, exceeds its limits, or raises an error of its own. */
export class ChatTemplateError extends LimenError {
  declare readonly code: ChatTemplateErrorCode;

  constructor(
    code: ChatTemplateErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, message, details, options);
  }
}
