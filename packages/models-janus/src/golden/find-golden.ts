// Where golden folders are looked for. Two are in the repository; the others are too large for it.

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A folder, or the reason why there is none. */
export type FoundFolder =
  { readonly path: string; readonly reason?: undefined } | { readonly path?: undefined; readonly reason: string };

/** The repository this file belongs to, or the working directory outside of one. */
export function repositoryRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return folder;
    if (dirname(folder) === folder) return process.cwd();
  }
}

/** Looks for a golden folder in `fixtures/golden`, then under `$LIMEN_GOLDEN`, then in `shared/golden` beside the repository. */
export function findGoldenFolder(name: string): FoundFolder {
  const root = repositoryRoot();
  const places = [join(root, 'fixtures', 'golden'), process.env.LIMEN_GOLDEN, resolve(root, '..', 'shared', 'golden')];
  // `original/` shares the recordings of the folder above it.
  const required = name.endsWith('/original') ? '../golden.json' : 'golden.json';
  return firstWith(places, name, required);
}

/** Looks for a folder of another kind of reference data beside the repository, e.g. `tokenizers/deepseek-llm`. */
export function findSharedFolder(name: string, requiredFile: string): FoundFolder {
  const places = [process.env.LIMEN_SHARED, resolve(repositoryRoot(), '..', 'shared')];
  return firstWith(places, name, requiredFile);
}

function firstWith(places: readonly (string | undefined)[], name: string, requiredFile: string): FoundFolder {
  const tried: string[] = [];
  for (const place of places) {
    if (place === undefined) continue;
    const path = join(place, name);
    if (existsSync(path) && existsSync(join(path, requiredFile))) return { path };
    tried.push(path);
  }
  return { reason: `${requiredFile} of ${name} not found in ${tried.join(', ')}` };
}
