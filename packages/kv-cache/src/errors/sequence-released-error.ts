// Thrown when a sequence is used after its pages went back to the pool.

import { LimenError } from '@limen/tensor';

/** The sequence was released or disposed; code `SEQUENCE_RELEASED`. */
export class SequenceReleasedError extends LimenError {
  constructor(caller: string) {
    super(
      'SEQUENCE_RELEASED',
      `${caller}: sequence was used after release: expected a live sequence, got one whose pages are back in the pool. ` +
        'Release it after its last use, or allocate a new one.',
    );
  }
}
