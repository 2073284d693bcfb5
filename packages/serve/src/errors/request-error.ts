import { LimenError } from '@limen/tensor';

/** What a refused request reports besides its text. */
export interface RequestErrorFacts {
  /** HTTP status, 400 to 499. */
  readonly status?: number;
  /** Stable code in lower case, as OpenAI's API writes them. */
  readonly code?: string | null;
  /** Path of the field at fault, e.g. `messages[0].content`. */
  readonly param?: string | null;
}

/** A request that cannot be served as it is. Its text is written for whoever sent it. */
export class RequestError extends LimenError {
  readonly status: number;
  readonly publicCode: string | null;
  readonly param: string | null;

  constructor(text: string, { status = 400, code = null, param = null }: RequestErrorFacts = {}) {
    super('REQUEST_INVALID', text, { status, param });
    this.status = status;
    this.publicCode = code;
    this.param = param;
  }
}
