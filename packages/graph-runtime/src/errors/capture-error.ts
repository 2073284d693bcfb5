import { LimenError } from '@limen/tensor';

/** A step that could not be captured; the cause is what went wrong inside it. */
export class CaptureError extends LimenError {
  constructor(name: string, device: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      'CAPTURE_FAILED',
      `${name}: the step cannot be captured on ${device}: ${reason} ` +
        'Keep reads, waits and copies from the host outside the step; put changing inputs into StaticInputs.',
      { name, device, reason },
      { cause },
    );
  }
}
