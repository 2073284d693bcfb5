// Thrown for a sequence file that cannot be believed, does not fit the cache, or cannot be written.

import { LimenError } from '@limen/tensor';

/** What can be wrong with a sequence file; one code per kind. */
export type CacheFileErrorCode =
  | 'CACHE_FILE_UNREADABLE'
  | 'CACHE_FILE_NOT_WRITTEN'
  | 'CACHE_FILE_TOO_SHORT'
  | 'CACHE_FILE_FOREIGN'
  | 'CACHE_FILE_NEWER'
  | 'CACHE_FILE_HEADER_INVALID'
  | 'CACHE_FILE_SIZE_MISMATCH'
  | 'CACHE_FILE_DAMAGED'
  | 'CACHE_FILE_CHANGED'
  | 'CACHE_FILE_SHAPE_MISMATCH';

const computeAgain = 'Compute the tokens again, and save them anew.';
const advice: Readonly<Record<CacheFileErrorCode, string>> = {
  CACHE_FILE_UNREADABLE: 'Check the path and its permissions.',
  CACHE_FILE_NOT_WRITTEN: 'Check that the folder exists, may be written to and has room.',
  CACHE_FILE_TOO_SHORT: computeAgain,
  CACHE_FILE_FOREIGN: 'Pass a file that PagedCache.saveSequence wrote.',
  CACHE_FILE_NEWER: 'Read it with the version of @limen/kv-cache that wrote it.',
  CACHE_FILE_HEADER_INVALID: computeAgain,
  CACHE_FILE_SIZE_MISMATCH: computeAgain,
  CACHE_FILE_DAMAGED: computeAgain,
  CACHE_FILE_CHANGED: 'Write to a new file and rename it, as PagedCache.saveSequence does.',
  CACHE_FILE_SHAPE_MISMATCH: 'Restore it into a cache of the same model and storage format.',
};

/** A sequence file was refused; the cache has not changed. `details` hold the path and what was expected and found. */
export class CacheFileError extends LimenError {
  declare readonly code: CacheFileErrorCode;

  constructor(
    code: CacheFileErrorCode,
    path: string,
    problem: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(`${path}: ${problem}.`, advice[code]), { file: path, ...details }, options);
  }
}
