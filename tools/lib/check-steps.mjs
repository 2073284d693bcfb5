// Runs steps side by side, each as soon as the steps it needs have ended; prints one line per step as it ends. A step
// whose need failed still runs: its own result says more than a guess.

import { availableParallelism } from 'node:os';
import { printStep } from './step-line.mjs';

/**
 * @typedef {object} StepOutcome
 * @property {number} passed tests, or 1 for a step that is one check
 * @property {number} failed
 * @property {number} [skipped]
 * @property {string} [note] shown beside the step, for example why something was skipped
 * @property {string} [output] shown when something failed
 */

/**
 * @typedef {object} CheckStep
 * @property {string} name
 * @property {string[]} needs names of steps that end first; ones that do not run are not waited for
 * @property {() => Promise<StepOutcome>} run
 */

/** @typedef {Required<Pick<StepOutcome, 'passed' | 'failed' | 'skipped'>> & { name: string, seconds: number }} StepResult */

const mostOutputLines = 200;

/**
 * @param {CheckStep[]} steps in the order in which they should start
 * @param {number} [lanes] steps at a time
 * @returns {Promise<StepResult[]>} in the order of `steps`
 */
export async function runCheckSteps(steps, lanes = Math.min(2, availableParallelism())) {
  const waiting = [...steps];
  /** @type {Map<string, StepResult>} */
  const results = new Map();
  /** @type {Set<Promise<void>>} */
  const running = new Set();
  /** @param {CheckStep} step */
  const isReady = (step) => step.needs.every((need) => results.has(need) || !steps.some(({ name }) => name === need));

  while (waiting.length > 0 || running.size > 0) {
    const next = running.size < lanes ? waiting.findIndex(isReady) : -1;
    if (next >= 0) {
      const [step] = waiting.splice(next, 1);
      if (step === undefined) continue;
      const job = runOne(step).then((result) => {
        results.set(step.name, result);
        running.delete(job);
      });
      running.add(job);
    } else {
      await Promise.race(running);
    }
  }
  return steps.flatMap(({ name }) => results.get(name) ?? []);
}

/**
 * @param {CheckStep} step
 * @returns {Promise<StepResult>}
 */
async function runOne(step) {
  const started = performance.now();
  /** @type {StepOutcome} */
  let outcome;
  try {
    outcome = await step.run();
  } catch (error) {
    outcome = { passed: 0, failed: 1, output: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const { passed, failed, skipped = 0, note, output = '' } = outcome;
  const seconds = (performance.now() - started) / 1000;
  const counts = `${step.name}: ${passed} passed${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  const verdict = failed > 0 ? 'failed' : passed === 0 ? 'skipped' : 'done';
  printStep(verdict, note === undefined ? counts : `${counts} (${note})`, seconds);
  if (failed > 0) console.log(output.trimEnd().split('\n').slice(-mostOutputLines).join('\n'));
  return { name: step.name, passed, failed, skipped, seconds };
}
