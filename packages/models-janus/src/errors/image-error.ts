import { LimenError } from '@limen/tensor';

/** What can be wrong with a picture; one code per kind. */
export type ImageErrorCode =
  | 'IMAGE_FILE_UNREADABLE'
  | 'IMAGE_EMPTY'
  | 'IMAGE_FILE_TOO_LARGE'
  | 'IMAGE_FORMAT_NOT_SUPPORTED'
  | 'IMAGE_DAMAGED'
  | 'IMAGE_TOO_MANY_PIXELS'
  | 'IMAGE_TOO_SMALL'
  | 'IMAGE_TOO_NARROW'
  | 'IMAGE_DATA_INVALID';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<ImageErrorCode, string>>> = {
  IMAGE_FILE_UNREADABLE: 'Check the path and its permissions.',
  IMAGE_EMPTY: 'Pass the bytes of a picture, or the path of one.',
  IMAGE_FORMAT_NOT_SUPPORTED: 'Convert it to one of these.',
  IMAGE_TOO_SMALL: 'Enlarge it, or use another one.',
  IMAGE_DATA_INVALID: 'Correct the call.',
};

/**
 * A picture that cannot be used. Texts of decoders can hold addresses and paths, so they are in `cause` only, which is
 * never sent to a client.
 */
export class ImageError extends LimenError {
  declare readonly code: ImageErrorCode;

  constructor(
    code: ImageErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(message, advice[code]), details, options);
  }
}
