import { LimenError } from '@limen/cuda-kernels';

/** Something that cannot be recorded was tried while a capture was under way. */
export class CaptureViolationError extends LimenError {
  constructor(what: string, device: string) {
    super(
      'CAPTURE_VIOLATION',
      `${what} cannot be recorded: a capture is under way on ${device}. Do it before the capture, into a static input.`,
      { what, device },
    );
  }
}
