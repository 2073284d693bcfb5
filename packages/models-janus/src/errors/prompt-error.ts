import { LimenError } from '@limen/tensor';

/** What can be wrong with a conversation; one code per kind. */
export type PromptErrorCode = 'PROMPT_EMPTY' | 'PROMPT_IMAGE_COUNT' | 'PROMPT_ROLE_UNKNOWN';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<PromptErrorCode, string>>> = {
  PROMPT_EMPTY: 'Add a message with the role user.',
  PROMPT_IMAGE_COUNT: 'Pass pictures as parts of user or assistant messages.',
  PROMPT_ROLE_UNKNOWN: 'Use one of these roles.',
};

/** A conversation that cannot become a prompt. */
export class PromptError extends LimenError {
  declare readonly code: PromptErrorCode;

  constructor(code: PromptErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(code, LimenError.advise(message, advice[code]), details);
  }
}
