// limen doctor: what this machine can do, and what to do about the rest.

import type { Command } from 'commander';

import type { Finding } from '../doctor/finding.js';
import { findings } from '../doctor/findings.js';
import { inspectMachine } from '../doctor/machine-facts.js';
import { exitCodes } from '../exit-codes.js';

const marks = { good: '✓', note: '·', problem: '✗' } as const;

export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .summary('say what this machine can do, and how to mend what it cannot')
    .description('Looks at Node.js, the native addon, the processor, the NVIDIA driver and its GPUs, memory and disk.')
    .option('--json', 'print the findings and the facts behind them as JSON')
    .addHelpText('after', '\nThe exit code is 3 when something must be mended. Notes are no failure.')
    .action(run);
}

function run({ json }: { readonly json?: true }): void {
  const facts = inspectMachine();
  const found = findings(facts);
  const isGood = found.every(({ state }) => state !== 'problem');
  console.log(json === true ? JSON.stringify({ good: isGood, findings: found, facts }, null, 2) : report(found));
  process.exitCode = isGood ? exitCodes.ok : exitCodes.device;
}

/** The findings for people. */
export function report(found: readonly Finding[]): string {
  const width = Math.max(...found.map(({ name }) => name.length));
  const indent = ' '.repeat(width + 4);
  return found
    .map(({ name, state, found: text, meaning, command }) => {
      const lines = [...text.split('\n'), meaning, ...(command === undefined ? [] : [`→ ${command}`])];
      return `${marks[state]} ${name.padEnd(width)}  ${lines.join(`\n${indent}`)}`;
    })
    .join('\n');
}
