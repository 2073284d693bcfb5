// `npm start`: from a bare clone to a picture described in words and a picture drawn from words. Installs what is
// missing, builds what this machine can build, then runs the demo; further parameters go to the demo.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap } from './bootstrap.mjs';
import { buildNative, buildPackages } from './lib/build.mjs';
import { repositoryRoot } from './lib/repository.mjs';
import { runCommand } from './lib/run-command.mjs';
import { printStep } from './lib/step-line.mjs';

await bootstrap();
const native = await buildNative();
printStep(native.outcome === 'failed' ? 'note' : native.outcome, native.text, native.seconds);
const packages = await buildPackages();
printStep(packages.outcome, packages.text, packages.seconds);
if (packages.outcome === 'failed') {
  console.error(packages.output.trimEnd());
  process.exit(1);
}

const command = join(repositoryRoot, 'packages', 'serve', 'dist', 'cli.js');
const help = existsSync(command) ? await runCommand(process.execPath, [command, '--help']) : undefined;
if (help === undefined || !/^\s+demo\b/m.test(help.output)) {
  printStep('note', 'Everything is built. The `limen demo` command does not exist in this version.');
} else {
  printStep('note', 'limen demo');
  const demo = await runCommand(process.execPath, [command, 'demo', ...process.argv.slice(2)], { show: true });
  process.exitCode = demo.code;
}
