import { LimenError } from '@limen/tensor';

/** Codes of an engine that takes no more work. */
export type EngineClosedCode = 'ENGINE_DRAINING' | 'ENGINE_FAILED';

/** The engine takes no more work: it is finishing what it has before it ends, or its device is lost. */
export class EngineClosedError extends LimenError {
  declare readonly code: EngineClosedCode;

  constructor(code: EngineClosedCode, options?: ErrorOptions) {
    const texts = {
      ENGINE_DRAINING:
        'engine: it is shutting down and takes no new work. Send the request to another instance, or try again later.',
      ENGINE_FAILED: 'engine: its device stopped working and only a new process can use it again. Restart the server.',
    };
    super(code, texts[code], {}, options);
  }
}
