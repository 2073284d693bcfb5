// Runs a TypeScript program of the repository from its source, with the parameters of this command. Nothing is built
// first, so a change is seen at once.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap } from '../bootstrap.mjs';
import { repositoryRoot } from './repository.mjs';
import { runCommand } from './run-command.mjs';
import { printStep } from './step-line.mjs';

/** @param {string} program path relative to the repository root */
export async function forwardToSource(program) {
  await bootstrap();
  if (!existsSync(join(repositoryRoot, program))) {
    printStep('failed', `${program} does not exist in this version`);
    process.exit(1);
  }
  const parameters = ['--import', 'tsx', '--conditions=limen-source', program, ...process.argv.slice(2)];
  const { code } = await runCommand(process.execPath, parameters, { show: true });
  process.exitCode = code;
}
