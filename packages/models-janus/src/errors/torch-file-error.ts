import { LimenError } from '@limen/tensor';

/** What can be wrong with a torch checkpoint file; one code per kind. */
export type TorchFileErrorCode =
  | 'TORCH_FILE_UNREADABLE'
  | 'TORCH_NOT_A_ZIP'
  | 'TORCH_LEGACY_FORMAT'
  | 'TORCH_ZIP_MALFORMED'
  | 'TORCH_ZIP_COMPRESSED'
  | 'TORCH_ENTRY_MISSING'
  | 'TORCH_BIG_ENDIAN'
  | 'TORCH_PICKLE_MALFORMED'
  | 'TORCH_PICKLE_TOO_LARGE'
  | 'TORCH_STORAGE_INVALID'
  | 'TORCH_VIEW_INVALID'
  | 'TORCH_NOT_A_STATE_DICT'
  | 'TORCH_TENSOR_NOT_FOUND'
  | 'TORCH_DTYPE_NOT_SUPPORTED'
  | 'TORCH_CLOSED';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<TorchFileErrorCode, string>>> = {
  TORCH_FILE_UNREADABLE: 'Check the path and its permissions.',
  TORCH_PICKLE_TOO_LARGE: 'Save model.state_dict() alone: names and tensors take little room.',
  TORCH_ZIP_COMPRESSED: 'Save it again with torch.save, which does not compress.',
  TORCH_ENTRY_MISSING: 'Is the download complete?',
  TORCH_STORAGE_INVALID: 'Is the download complete?',
  TORCH_NOT_A_STATE_DICT: 'Save model.state_dict(), not the model.',
  TORCH_TENSOR_NOT_FOUND: 'names() lists what the file holds.',
  TORCH_DTYPE_NOT_SUPPORTED: 'Convert the tensor to a float type and save it again.',
};

/** A torch checkpoint that is damaged, of a kind that is not read, or asked for what it does not hold. */
export class TorchFileError extends LimenError {
  declare readonly code: TorchFileErrorCode;

  constructor(
    code: TorchFileErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(message, advice[code]), details, options);
  }
}
