import { expect, test } from 'vitest';
import { explainFailedInstall, explainOldNode, isInstallNeeded } from './bootstrap.mjs';
import { plantRepository } from './lib/planted-repository.js';

test.each(['18.20.0', '20.18.3', '4.0.0'])('refuses Node %s and names the oldest release that works', (release) => {
  expect(explainOldNode(release)).toContain('Node 20.19 or newer');
});

test.each(['20.19.0', '20.20.2', '22.0.0', '26.1.0'])('accepts Node %s', (release) => {
  expect(explainOldNode(release)).toBeUndefined();
});

test.each([
  ['getaddrinfo ENOTFOUND registry', 'registry could not be reached'],
  ['ERR_PNPM_OUTDATED_LOCKFILE', 'commit the new lockfile'],
  ['ENOSPC: no space left on device', 'disk is full'],
  ['something else', 'To see it happen'],
])('explains “%s”', (output, explanation) => {
  expect(explainFailedInstall(output)).toContain(explanation);
});

test('asks for an install where there are no dependencies yet', () => {
  using repository = plantRepository({ 'pnpm-lock.yaml': '\n', 'pnpm-workspace.yaml': '\n' });
  expect(isInstallNeeded(repository.root)).toBe(true);
});
