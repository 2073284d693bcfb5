// Which checkpoint is used when none is named: the small trained one, or else the test checkpoint of the repository.
// Everything that depends on this choice is here.

import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { UsageError } from './errors/usage-error.js';

const weights = 'model.safetensors';
const testCheckpoint = join('fixtures', 'golden', 'janus-a');
const nameAnother = 'Name a Janus-Pro checkpoint with --model FOLDER.';

/** A folder, what its model is called, and what its user must know about it in one line. */
export interface DefaultModel {
  readonly name: string;
  readonly folder: string;
  readonly notice: string;
}

/**
 * The checkpoint to use when none is named.
 *
 * @param tiny - folder of the small trained model: `janusTinyFolder()`
 * @param start - where the search for the repository begins
 * @throws {UsageError} there is neither
 */
export function defaultModel(tiny: string, start = dirname(fileURLToPath(import.meta.url))): DefaultModel {
  if (existsSync(join(tiny, weights))) {
    return {
      name: 'janus-tiny',
      folder: tiny,
      notice: `No model is named, so this is janus-tiny: small, trained, and knowing nothing but coloured shapes. ${nameAnother}`,
    };
  }
  const root = parents(start).find((folder) => existsSync(join(folder, testCheckpoint, weights)));
  if (root === undefined) {
    throw new UsageError(
      'limen: no model is named: expected --model FOLDER or LIMEN_MODEL. Name a folder with a Janus-Pro checkpoint.',
    );
  }
  return {
    name: basename(testCheckpoint),
    folder: join(root, testCheckpoint),
    notice: `No model is named, so this is the test checkpoint janus-a. Its weights are random: its words and pictures mean nothing. ${nameAnother}`,
  };
}

function parents(folder: string): string[] {
  const parent = dirname(folder);
  return parent === folder ? [folder] : [folder, ...parents(parent)];
}
