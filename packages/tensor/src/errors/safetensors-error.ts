import { LimenError } from '@limen/cuda-kernels';

/** What can be wrong with a safetensors file; one code per kind. */
export type SafetensorsErrorCode =
  | 'SAFETENSORS_FILE_UNREADABLE'
  | 'SAFETENSORS_FILE_TOO_SHORT'
  | 'SAFETENSORS_HEADER_EMPTY'
  | 'SAFETENSORS_HEADER_TOO_LARGE'
  | 'SAFETENSORS_HEADER_TRUNCATED'
  | 'SAFETENSORS_HEADER_NOT_OBJECT'
  | 'SAFETENSORS_HEADER_NOT_UTF8'
  | 'SAFETENSORS_HEADER_NOT_JSON'
  | 'SAFETENSORS_DUPLICATE_KEY'
  | 'SAFETENSORS_NUMBER_NOT_INTEGER'
  | 'SAFETENSORS_METADATA_INVALID'
  | 'SAFETENSORS_TOO_MANY_TENSORS'
  | 'SAFETENSORS_ENTRY_INVALID'
  | 'SAFETENSORS_DTYPE_UNKNOWN'
  | 'SAFETENSORS_DTYPE_NOT_SUPPORTED'
  | 'SAFETENSORS_SHAPE_INVALID'
  | 'SAFETENSORS_RANK_TOO_LARGE'
  | 'SAFETENSORS_DIMENSION_TOO_LARGE'
  | 'SAFETENSORS_SHAPE_OVERFLOW'
  | 'SAFETENSORS_OFFSETS_INVALID'
  | 'SAFETENSORS_SIZE_MISMATCH'
  | 'SAFETENSORS_OFFSETS_HOLE'
  | 'SAFETENSORS_OFFSETS_OVERLAP'
  | 'SAFETENSORS_FILE_SIZE_MISMATCH'
  | 'SAFETENSORS_TENSOR_NOT_FOUND'
  | 'SAFETENSORS_CLOSED';

const damaged = 'The file is damaged, or it is of another format: download it again.';
const malformed = 'The file breaks the format: download it again, or write it anew with a library for safetensors.';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<SafetensorsErrorCode, string>>> = {
  SAFETENSORS_FILE_UNREADABLE: 'Check the path and its permissions.',
  SAFETENSORS_FILE_TOO_SHORT: 'Is the download complete?',
  SAFETENSORS_HEADER_EMPTY: damaged,
  SAFETENSORS_HEADER_NOT_OBJECT: damaged,
  SAFETENSORS_HEADER_NOT_UTF8: damaged,
  SAFETENSORS_HEADER_NOT_JSON: damaged,
  SAFETENSORS_DUPLICATE_KEY: malformed,
  SAFETENSORS_NUMBER_NOT_INTEGER: malformed,
  SAFETENSORS_METADATA_INVALID: malformed,
  SAFETENSORS_TOO_MANY_TENSORS: malformed,
  SAFETENSORS_ENTRY_INVALID: malformed,
  SAFETENSORS_DTYPE_UNKNOWN: malformed,
  SAFETENSORS_SHAPE_INVALID: malformed,
  SAFETENSORS_RANK_TOO_LARGE: malformed,
  SAFETENSORS_DIMENSION_TOO_LARGE: malformed,
  SAFETENSORS_SHAPE_OVERFLOW: malformed,
  SAFETENSORS_OFFSETS_INVALID: malformed,
  SAFETENSORS_SIZE_MISMATCH: malformed,
  SAFETENSORS_OFFSETS_HOLE: malformed,
  SAFETENSORS_OFFSETS_OVERLAP: malformed,
  SAFETENSORS_TENSOR_NOT_FOUND: 'names() lists what the file holds.',
};

/** A safetensors file that breaks a rule of the format, or a wrong question to a good one. */
export class SafetensorsError extends LimenError {
  declare readonly code: SafetensorsErrorCode;

  constructor(
    code: SafetensorsErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(message, advice[code]), details, options);
  }
}
