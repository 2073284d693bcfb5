import { LimenError } from '@limen/cuda-kernels';

/** What can be wrong with a folder of weights; one code per kind. */
export type CheckpointErrorCode =
  | 'CHECKPOINT_NOT_FOUND'
  | 'CHECKPOINT_INDEX_INVALID'
  | 'CHECKPOINT_SHARD_NAME_INVALID'
  | 'CHECKPOINT_SHARD_MISSING'
  | 'CHECKPOINT_TOO_MANY_SHARDS'
  | 'CHECKPOINT_TENSOR_NOT_IN_SHARD'
  | 'CHECKPOINT_TENSOR_NOT_IN_INDEX'
  | 'CHECKPOINT_TENSOR_NOT_FOUND'
  | 'CHECKPOINT_PICKLE_REFUSED'
  | 'CHECKPOINT_FILE_CHANGED';

// What to do, for the codes whose message does not say it by itself.
const advice: Readonly<Partial<Record<CheckpointErrorCode, string>>> = {
  CHECKPOINT_INDEX_INVALID: 'Download the index again.',
  CHECKPOINT_SHARD_NAME_INVALID: 'Take the checkpoint from a source you trust.',
  CHECKPOINT_TOO_MANY_SHARDS: 'Take the checkpoint from a source you trust.',
  CHECKPOINT_TENSOR_NOT_FOUND: 'names() lists what the checkpoint holds.',
};

/** A folder whose weights cannot be found, or whose index and shards contradict each other. */
export class CheckpointError extends LimenError {
  declare readonly code: CheckpointErrorCode;

  constructor(
    code: CheckpointErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(code, LimenError.advise(message, advice[code]), details, options);
  }
}
