import { LimenError } from '@limen/tensor';

/** What can go wrong with a chat template; one code per kind. */
export type ChatTemplateErrorCode =
  | 'CHAT_TEMPLATE_TOO_LARGE'
  | 'CHAT_TEMPLATE_INVALID'
  | 'CHAT_TEMPLATE_NOT_ALLOWED'
  | 'CHAT_TEMPLATE_LIMIT'
  | 'CHAT_TEMPLATE_RAISED'
  | 'CHAT_TEMPLATE_FAILED';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<ChatTemplateErrorCode, string>>> = {
  CHAT_TEMPLATE_TOO_LARGE: 'Take the template that was published with the model.',
  CHAT_TEMPLATE_INVALID: 'Take the template that was published with the model.',
  CHAT_TEMPLATE_NOT_ALLOWED: 'Take the template that was published with the model.',
  CHAT_TEMPLATE_LIMIT: 'Shorten the conversation, or take the template that was published with the model.',
  CHAT_TEMPLATE_RAISED: 'Change the conversation as it says.',
  CHAT_TEMPLATE_FAILED: 'Take the template that was published with the model.',
};

/** A chat template that is refused, exceeds its limits, or raises an error of its own. */
export class ChatTemplateError extends LimenError {
  declare readonly code: ChatTemplateErrorCode;

  constructor(
    code: ChatTemplateErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(message, advice[code]), details, options);
  }
}
