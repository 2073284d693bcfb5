// Thrown when the world is asked for something outside of it.

import { LimenError } from '@limen/tensor';

/** What can be wrong; one code per kind. */
export type WorldErrorCode = 'SEED_OUT_OF_RANGE' | 'SCENE_TOO_CROWDED' | 'PICTURE_SIZE_INVALID';

/** A seed, a scene or a picture that the world does not have. */
export class WorldError extends LimenError {
  declare readonly code: WorldErrorCode;

  constructor(code: WorldErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(code, message, details);
  }
}
