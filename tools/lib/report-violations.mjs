// How every structure check reports: one line per violation, then a verdict, then the exit code.

import { pathToFileURL } from 'node:url';
import { repositoryRoot } from './repository.mjs';

/**
 * Runs a check over the repository when its file is the program that was started; does nothing when it was imported.
 * @param {string} moduleUrl `import.meta.url` of the check
 * @param {string} claim what holds when there is no violation
 * @param {(root: string) => string[]} check returns one text per violation
 */
export function reportWhenStarted(moduleUrl, claim, check) {
  if (moduleUrl !== pathToFileURL(process.argv[1] ?? '').href) return;
  const violations = check(repositoryRoot);
  for (const violation of violations) console.log(violation);
  console.log(violations.length === 0 ? `ok: ${claim}` : `${violations.length} violations; expected: ${claim}`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
