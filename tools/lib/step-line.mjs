// One friendly line per step: a mark, what was done, how long it took. Output of a child is shown only on failure.

import { runCommand } from './run-command.mjs';

/**
 * @param {'done' | 'failed' | 'skipped' | 'note'} outcome
 * @param {string} text
 * @param {number} [seconds]
 */
export function printStep(outcome, text, seconds) {
  const mark = { done: '✓', failed: '✗', skipped: '–', note: '·' }[outcome];
  console.log(`${mark} ${seconds === undefined ? text : `${text.padEnd(60)} ${seconds.toFixed(1).padStart(6)} s`}`);
}

/**
 * Runs one command as a step; on failure prints its output and ends the program with its exit code.
 * @param {string} text what the step does
 * @param {string} program
 * @param {string[]} parameters
 * @param {import('./run-command.mjs').CommandOptions} [options]
 */
export async function runStep(text, program, parameters, options = {}) {
  const result = await runCommand(program, parameters, options);
  if (result.code !== 0) {
    printStep('failed', text, result.seconds);
    console.error(result.output.trimEnd());
    process.exit(result.code);
  }
  printStep('done', text, result.seconds);
  return result;
}
