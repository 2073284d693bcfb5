// Thrown when a quantisation scheme is asked for by a name that no scheme has.

import { LimenError } from '@limen/tensor';

/** No scheme has this name; code `UNKNOWN_SCHEME`. */
export class UnknownSchemeError extends LimenError {
  constructor(caller: string, name: string, known: readonly string[]) {
    super(
      'UNKNOWN_SCHEME',
      `${caller}: scheme is unknown: expected ${known.join(' | ')}, got ${name}. Choose one of these.`,
      {
        caller,
        name,
        known,
      },
    );
  }
}
