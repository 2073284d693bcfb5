// Thrown when the host tier has no room for a sequence. Nothing has changed when it is thrown.

import { LimenError } from '@limen/tensor';

/** The host tier's budget leaves less than a swap needs; code `HOST_BUDGET_EXCEEDED`. All three are bytes. */
export class HostBudgetError extends LimenError {
  /** Bytes the swap needed. */
  readonly need: number;
  /** Bytes that were left. */
  readonly have: number;
  readonly budget: number;

  constructor(caller: string, bytes: { readonly need: number; readonly have: number; readonly budget: number }) {
    const { need, have, budget } = bytes;
    const fix =
      budget === 0
        ? 'Create the cache with hostBytes.'
        : 'Swap a sequence in, dispose a swapped one, or create the cache with more hostBytes.';
    super(
      'HOST_BUDGET_EXCEEDED',
      `${caller}: sequence does not fit the host tier: expected at least ${need} bytes left of a budget of ${budget}, ` +
        `got ${have}. ${fix}`,
      { need, have, budget },
    );
    this.need = need;
    this.have = have;
    this.budget = budget;
  }
}
