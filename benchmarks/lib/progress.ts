// What a long benchmark is doing at the moment, on the error output: the results on the other one stay clean.

const start = performance.now();

/** Prints a line with the seconds since the start. Silent under the test runner. */
export function progress(text: string): void {
  if (process.env['VITEST'] !== undefined) return;
  console.error(`· ${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${text}`);
}
