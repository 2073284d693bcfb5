// Where a command computes. `auto` takes a GPU when there is one that works and says so when there is none; a device that
// was named is used or refused, never replaced.

import { cudaUnavailableReason, DeviceNotAvailableError } from '@limen/cuda-kernels';

/** A device and what the user should know about the choice. */
export interface SelectedDevice {
  readonly device: string;
  readonly note: string | undefined;
}

/**
 * @param wanted - `auto`, `cpu`, `cuda` or `cuda:N`
 * @param whyNoCuda - why no GPU can be used; undefined when one can
 * @throws {DeviceNotAvailableError} a GPU was named and none can be used
 */
export function selectDevice(
  wanted: string,
  whyNoCuda: () => string | undefined = cudaUnavailableReason,
): SelectedDevice {
  if (wanted === 'cpu') return { device: 'cpu', note: undefined };
  const reason = whyNoCuda();
  if (wanted !== 'auto') {
    const device = wanted === 'cuda' ? 'cuda:0' : wanted;
    if (reason !== undefined) throw new DeviceNotAvailableError(device, reason);
    return { device, note: undefined };
  }
  if (reason === undefined) return { device: 'cuda:0', note: undefined };
  return { device: 'cpu', note: `Computing on the CPU. ${reason}` };
}
