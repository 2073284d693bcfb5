#!/usr/bin/env node
// The limen command. Each command registers itself here and loads what it needs only when it runs.

import { createRequire } from 'node:module';

import { Command, CommanderError } from 'commander';

import { demoCommand } from './commands/demo.js';
import { describeCommand } from './commands/describe.js';
import { doctorCommand } from './commands/doctor.js';
import { drawCommand } from './commands/draw.js';
import { serveCommand } from './commands/serve.js';
import { errorText, exitCodeOf } from './exit-codes.js';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const program = new Command('limen')
  .description('Describes pictures in words and draws pictures from words, on NVIDIA GPUs or the CPU.')
  .version(version, '-v, --version')
  .showHelpAfterError('Run the command with --help for its options.')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'limen: ')) })
  .exitOverride()
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 other failure, 2 wrong usage, 3 device, 4 model or picture, 5 network.\nLIMEN_DEBUG=1 adds stack traces to errors.',
  );
for (const register of [describeCommand, drawCommand, serveCommand, doctorCommand, demoCommand]) register(program);

// `limen … | head` closes the pipe early; that is how it ends, not a failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) console.error(errorText(error));
    process.exitCode = exitCodeOf(error);
  }
}

void main();
