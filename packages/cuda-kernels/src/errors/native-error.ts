import { LimenError } from './limen-error.js';

// What to do, for the codes whose native text does not say it.
const advice: Readonly<Record<string, string>> = {
  FILE_NOT_MAPPED: 'Check the path and its permissions.',
  INVALID_ARGUMENT: 'Correct the call; nothing was done.',
  INVALID_DESCRIPTOR: 'Correct how the tensors were packed; nothing was done.',
  SHAPE_MISMATCH: 'Pass tensors of the sizes that the op declares.',
  UNSUPPORTED_DTYPE: 'Convert the tensor, or use an op for its type.',
};

/** A refusal or failure in native code that is no CUDA status: a wrong argument, an unsupported type, an unreadable file. */
export class NativeError extends LimenError {
  constructor(code: string, text: string, details: Readonly<Record<string, unknown>> = {}) {
    super(code, LimenError.advise(text, advice[code]), details);
  }
}
