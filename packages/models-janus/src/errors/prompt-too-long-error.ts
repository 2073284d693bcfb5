import { LimenError } from '@limen/tensor';

/** A prompt that leaves too little of the context for an answer, with all three numbers. */
export class PromptTooLongError extends LimenError {
  constructor(promptTokens: number, neededTokens: number, contextLength: number) {
    super(
      'PROMPT_TOO_LONG',
      `prompt is too long: expected at most ${contextLength - neededTokens} tokens (context ${contextLength}, ` +
        `${neededTokens} for the answer), got ${promptTokens}. Shorten it, drop earlier turns or use fewer images.`,
      { promptTokens, neededTokens, contextLength },
    );
  }
}
