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
    super(code, message, details, options);
  }
}
