import { LimenError } from '@limen/tensor';

/** What can be wrong with a conversation; one code per kind. */
export type PromptErrorCode = 'PROMPT_EMPTY' | 'PROMPT_IMAGE_COUNT' | 'PROMPT_ROLE_UNKNOWN';

/** A conversation that cannot become a prompt. */
export class PromptError extends LimenError {
  declare readonly code: PromptErrorCode;

  constructor(code: PromptErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(code, message, details);
  }
}
