// Which checkpoint is used when none is named: for now the test checkpoint of the repository. Everything that depends on
// this choice is here.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { UsageError } from './errors/usage-error.js';

const checkpoint = join('fixtures', 'golden', 'janus-a');

/** A folder, and what its user must know about it. */
export interface DefaultModel {
  readonly folder: string;
  readonly notice: string;
  /** A picture that the demonstration describes. */
  readonly picture: string;
}

/**
 * The checkpoint to use when none is named.
 *
 * @throws {UsageError} this is an installed package, not the repository
 */
export function defaultModel(): DefaultModel {
  const here = dirname(fileURLToPath(import.meta.url));
  const root = parents(here).find((folder) => existsSync(join(folder, checkpoint, 'config.json')));
  if (root === undefined) {
    throw new UsageError(
      'limen: no model is named: expected --model FOLDER or LIMEN_MODEL. Name a folder with a Janus-Pro checkpoint.',
    );
  }
  return {
    folder: join(root, checkpoint),
    notice:
      'No model is named, so this is the test checkpoint janus-a. Its weights are random: its words and pictures mean nothing yet. Name a Janus-Pro checkpoint with --model FOLDER.',
    picture: join(root, checkpoint, 'images', 'img0.png'),
  };
}

function parents(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...parents(parent)];
}
