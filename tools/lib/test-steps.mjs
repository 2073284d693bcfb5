// The steps of `npm test`, and how each one counts its tests.

import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildNative, buildPackages } from './build.mjs';
import { repositoryRoot } from './repository.mjs';
import { runCommand } from './run-command.mjs';

/** @typedef {import('./check-steps.mjs').CheckStep} CheckStep */
/** @typedef {import('./check-steps.mjs').StepOutcome} StepOutcome */

/**
 * @param {string[]} unitFilters parts of file names; none runs all unit tests
 * @returns {CheckStep[]} long ones first, so that the short ones fill the gaps
 */
export function checkSteps(unitFilters) {
  return [
    { name: 'native', needs: [], run: countNative },
    { name: 'build', needs: [], run: countBuild },
    { name: 'types', needs: [], run: () => countCommand('node_modules/typescript/bin/tsc', ['--noEmit']) },
    { name: 'unit', needs: ['native'], run: () => countVitest('unit', unitFilters) },
    { name: 'lint', needs: [], run: () => countCommand('node_modules/eslint/bin/eslint.js', ['.']) },
    { name: 'format', needs: [], run: () => countCommand('node_modules/prettier/bin/prettier.cjs', ['--check', '.']) },
    { name: 'structure', needs: [], run: countStructure },
    { name: 'pages', needs: [], run: () => countCommand('tools/check-doc-code.mjs', []) },
    { name: 'pack', needs: ['build', 'native'], run: () => countTap('tools/check-packs.mjs') },
    { name: 'examples', needs: ['build', 'native'], run: () => countTap('tools/run-examples.mjs') },
  ];
}

/** @returns {Promise<StepOutcome>} */
async function countNative() {
  const { outcome, text, output } = await buildNative();
  if (outcome === 'skipped') return { passed: 0, failed: 0, skipped: 1, note: text };
  return outcome === 'done' ? { passed: 1, failed: 0, note: text } : { passed: 0, failed: 1, output };
}

/** @returns {Promise<StepOutcome>} */
async function countBuild() {
  const { outcome, output } = await buildPackages();
  return outcome === 'done' ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, output };
}

/**
 * A command that is one check: it passes or fails as a whole.
 * @param {string} program
 * @param {string[]} parameters
 * @returns {Promise<StepOutcome>}
 */
async function countCommand(program, parameters) {
  const { code, output } = await runCommand(process.execPath, [program, ...parameters]);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, output };
}

/** @returns {Promise<StepOutcome>} */
async function countStructure() {
  const outcome = { passed: 0, failed: 0, output: '' };
  for (const check of ['check-boundaries', 'check-structure', 'check-sizes', 'results-table']) {
    const { code, output } = await runCommand(process.execPath, [`tools/${check}.mjs`, '--check']);
    outcome[code === 0 ? 'passed' : 'failed'] += 1;
    if (code !== 0) outcome.output += `${check}\n${output}`;
  }
  return outcome;
}

/**
 * @param {string} project
 * @param {string[]} filters
 * @returns {Promise<StepOutcome>}
 */
async function countVitest(project, filters) {
  const report = join(repositoryRoot, 'out', 'test', `${project}.json`);
  mkdirSync(join(repositoryRoot, 'out', 'test'), { recursive: true });
  rmSync(report, { force: true });
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`];
  const parameters = ['node_modules/vitest/vitest.mjs', 'run', '--project', project, ...reporters, ...filters];
  const { code, output } = await runCommand(process.execPath, parameters, { env: { NO_COLOR: '1' } });
  if (!existsSync(report)) return { passed: 0, failed: 1, output };
  /** @type {{ numPassedTests: number, numFailedTests: number, numPendingTests: number, testResults: { status: string, assertionResults: unknown[] }[] }} */
  const counts = JSON.parse(readFileSync(report, 'utf8'));
  const brokenFiles = counts.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  );
  const failed = counts.numFailedTests + brokenFiles.length;
  // Vitest also fails on an error outside any test; that must not count as a pass.
  const stray = code !== 0 && failed === 0 ? 1 : 0;
  return { passed: counts.numPassedTests, failed: failed + stray, skipped: counts.numPendingTests, output };
}

/**
 * A program that prints one `ok` or `not ok` line per test.
 * @param {string} program
 * @returns {Promise<StepOutcome>}
 */
async function countTap(program) {
  const { code, output } = await runCommand(process.execPath, [program]);
  const passed = output.match(/^ok\b(?!.*# skip)/gm)?.length ?? 0;
  const skipped = output.match(/^ok\b.*# skip/gm)?.length ?? 0;
  const failed = output.match(/^not ok\b/gm)?.length ?? 0;
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped, output };
}
