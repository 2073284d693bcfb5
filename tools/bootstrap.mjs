// Installs the dependencies when they are missing or older than the lockfile; otherwise does nothing, in milliseconds.
// Runs from a bare clone with Node and npm alone, so it imports Node built-ins and tools/lib only.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { listPackages, pnpmRelease, repositoryRoot } from './lib/repository.mjs';
import { runCommand } from './lib/run-command.mjs';
import { printStep } from './lib/step-line.mjs';

const oldestNode = [20, 19];

/**
 * @param {string} release for example `20.19.0`
 * @returns {string | undefined} what to do, when the release is too old
 */
export function explainOldNode(release) {
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `Limen needs Node ${oldestNode.join('.')} or newer, and this is Node ${release}. Install a current release from nodejs.org or through your version manager, then run the command again.`;
}

/**
 * @param {string} output what the installer printed
 * @returns {string} the likely cause and what to do
 */
export function explainFailedInstall(output) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|fetch failed|network|offline/i.test(output)) {
    return 'The package registry could not be reached. Dependencies are installed once per lockfile: connect this machine, or set a registry mirror with `npm config set registry <address>`, then run the command again.';
  }
  if (/ERR_PNPM_OUTDATED_LOCKFILE/.test(output)) {
    return `A package.json asks for something that pnpm-lock.yaml does not hold. Run \`npx -y ${pnpmRelease} install\` and commit the new lockfile.`;
  }
  if (/ENOSPC/.test(output)) return 'The disk is full: the dependencies need about 400 MB.';
  return `Dependencies could not be installed. To see it happen: \`npx -y ${pnpmRelease} install --frozen-lockfile\`.`;
}

/** @param {string} root */
function fingerprint(root) {
  const hash = createHash('sha256').update(`node ${process.versions.modules} ${process.platform} ${process.arch}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml']) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/**
 * Whether an install is needed: no dependencies, dependencies of another lockfile, or a package that was never linked.
 * @param {string} root
 */
export function isInstallNeeded(root) {
  const stamp = join(root, 'node_modules', '.limen-install');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== fingerprint(root)) return true;
  return listPackages(root).some((name) => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
    return Object.keys(dependencies).some((key) => !existsSync(join(root, 'packages', name, 'node_modules', key)));
  });
}

/** Installs the dependencies if needed; ends the program with a clear message when that is not possible. */
export async function bootstrap() {
  const oldNode = explainOldNode(process.versions.node);
  if (oldNode !== undefined) {
    printStep('failed', oldNode);
    process.exit(1);
  }
  if (!isInstallNeeded(repositoryRoot)) return;
  const result = await runCommand('npx', ['-y', pnpmRelease, 'install', '--frozen-lockfile'], { env: { CI: 'true' } });
  if (result.code !== 0) {
    console.error(result.output.trimEnd());
    printStep('failed', explainFailedInstall(result.output));
    process.exit(1);
  }
  writeFileSync(join(repositoryRoot, 'node_modules', '.limen-install'), fingerprint(repositoryRoot));
  printStep('done', 'Dependencies installed', result.seconds);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await bootstrap();
