// `npm test`: installs, builds, checks types, lint, format and structure, runs every test that needs no GPU, the examples
// and the packed packages. All steps run even when one fails; the last line counts tests: `N passed, N failed`.
// `npm test -- --only unit,types [file …]` runs single steps, for a quick look; file names narrow the unit tests.

import { parseArgs } from 'node:util';
import { bootstrap } from './bootstrap.mjs';
import { runCheckSteps } from './lib/check-steps.mjs';
import { checkSteps } from './lib/test-steps.mjs';

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const wanted = values.only?.split(',');
const steps = checkSteps(positionals);
const unknown = wanted?.filter((name) => !steps.some((step) => step.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(`No step is called ${unknown.join(', ')}. Steps: ${steps.map((step) => step.name).join(', ')}.`);
  process.exit(2);
}

await bootstrap();
const results = await runCheckSteps(wanted === undefined ? steps : steps.filter(({ name }) => wanted.includes(name)));

console.log(`\n${'step'.padEnd(12)} passed  failed  skipped  seconds`);
for (const { name, passed, failed, skipped, seconds } of results) {
  const cells = [String(passed).padStart(6), String(failed).padStart(7), String(skipped).padStart(8)];
  console.log(`${name.padEnd(12)} ${cells.join(' ')} ${seconds.toFixed(1).padStart(8)}`);
}
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
process.exitCode = failed === 0 ? 0 : 1;
console.log(`\n${passed} passed, ${failed} failed`);
