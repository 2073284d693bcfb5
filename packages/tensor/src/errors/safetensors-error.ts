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

/** A safetensors file that breaks a rule of the format, or a wrong question to a good one. */
export class SafetensorsError extends LimenError {
  declare readonly code: SafetensorsErrorCode;

  constructor(
    code: SafetensorsErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, message, details, options);
  }
}
