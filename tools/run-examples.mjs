// Runs every numbered example against the built packages, as a user of the published packages would. One test each:
// `ok` and `not ok` lines in the TAP form. `node tools/run-examples.mjs [part of a name]`.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles, repositoryRoot } from './lib/repository.mjs';
import { runCommand } from './lib/run-command.mjs';

const filter = process.argv[2] ?? '';
const examples = listFiles(repositoryRoot, 'examples').filter(
  (file) => /\/\d\d-[\w-]+\.ts$/.test(file) && file.includes(filter),
);
if (!existsSync(join(repositoryRoot, 'packages', 'tensor', 'dist'))) {
  console.log('not ok - packages are not built: run `npm run build` first');
  process.exit(1);
}

for (const [index, file] of examples.entries()) {
  const { code, output, seconds } = await runCommand(process.execPath, ['--import', 'tsx', file], {
    timeoutSeconds: 180,
  });
  console.log(`${code === 0 ? 'ok' : 'not ok'} ${index + 1} - ${file} (${seconds.toFixed(1)} s)`);
  if (code !== 0) {
    console.log(output.trimEnd());
    process.exitCode = 1;
  }
}
