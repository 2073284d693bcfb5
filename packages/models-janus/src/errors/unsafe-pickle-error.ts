import { LimenError } from '@limen/tensor';

/** A pickle that asks for more than tensors: the opcode or class that was refused, and where it stands. */
export class UnsafePickleError extends LimenError {
  constructor(file: string, what: string, offset: number) {
    super(
      'UNSAFE_PICKLE',
      `${file}: pickle holds more than tensors: expected only what torch.save writes for a state dict, got ${what} at ` +
        `byte ${offset}. Such a file can run code: do not load it elsewhere unless you trust its author.`,
      { file, what, offset },
    );
  }
}
