import { LimenError } from '@limen/cuda-kernels';

/** Device memory that could not be had, with what was needed and what there is. */
export class OutOfMemoryError extends LimenError {
  constructor(
    device: string,
    facts: { needBytes: number; freeBytes: number; inUseBytes: number; budgetBytes: number },
  ) {
    const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    super(
      'OUT_OF_MEMORY',
      `${device}: out of memory: need ${mebibytes(facts.needBytes)}, free ${mebibytes(facts.freeBytes)}, ` +
        `in use by tensors ${mebibytes(facts.inUseBytes)}` +
        (Number.isFinite(facts.budgetBytes) ? `, budget ${mebibytes(facts.budgetBytes)}` : '') +
        `. Dispose tensors, use a smaller batch, context or dtype, or raise the budget.`,
      { device, ...facts },
    );
  }
}
