// Work in batches, with a line of progress for people who wait.

/** Options of a quality run that shape its batches and drawings. */
export interface QualityOptions {
  readonly batch: number;
  readonly guidance?: number | undefined;
  readonly temperature?: number | undefined;
}

/** Runs `work` on consecutive batches and joins the results. */
export async function inBatches<Item, Result>(
  name: string,
  items: readonly Item[],
  size: number,
  work: (batch: readonly Item[], first: number) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const results: Result[] = [];
  const started = performance.now();
  for (let first = 0; first < items.length; first += size) {
    results.push(...(await work(items.slice(first, first + size), first)));
    if (!process.stderr.isTTY) continue;
    const seconds = (performance.now() - started) / 1000;
    const left = (seconds / results.length) * (items.length - results.length);
    process.stderr.write(`\r\x1b[K${name}: ${results.length} of ${items.length}, ${left.toFixed(0)} s left`);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return results;
}
