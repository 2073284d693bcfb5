// Finds the files of a checkpoint. Weights under their original names may lie in a folder `original/` inside the one that
// holds configuration and tokenizer, so each file is looked for in the folder itself and then in its parent.

import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { CheckpointError } from '@limen/tensor';

import { ConfigError } from '../errors/config-error.js';

/** Where the files of a checkpoint lie; optional ones are undefined when they are in neither folder. */
export interface CheckpointFiles {
  /** The folder with the weights. */
  readonly weights: string;
  readonly config: string;
  readonly tokenizer: string;
  readonly tokenizerConfig?: string;
  readonly preprocessor?: string;
  readonly generationConfig?: string;
  readonly chatTemplate?: string;
}

/**
 * Finds a checkpoint's files in `folder`, else in its parent.
 * @throws {CheckpointError} there is no such folder
 * @throws {ConfigError} config.json or tokenizer.json is in neither
 */
export function resolveCheckpoint(folder: string): CheckpointFiles {
  const weights = resolve(folder);
  const found = statSync(weights, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) {
    throw new CheckpointError(
      'CHECKPOINT_NOT_FOUND',
      `${weights}: model not found: expected the folder of a model, got ${found === undefined ? 'nothing' : 'a file'}. ` +
        'Pass the folder that holds config.json, tokenizer.json and the weights.',
      { folder: weights },
    );
  }
  const places = [weights, dirname(weights)];
  const find = (name: string) => places.map((place) => join(place, name)).find((path) => existsSync(path));
  const need = (name: string): string => {
    const path = find(name);
    if (path !== undefined) return path;
    throw new ConfigError(
      'CONFIG_FILE_MISSING',
      `${weights}: ${name} not found: expected it there or in ${dirname(weights)}.`,
      { file: name, tried: places },
    );
  };
  return {
    weights,
    config: need('config.json'),
    tokenizer: need('tokenizer.json'),
    tokenizerConfig: find('tokenizer_config.json'),
    preprocessor: find('preprocessor_config.json'),
    generationConfig: find('generation_config.json'),
    chatTemplate: find('chat_template.jinja'),
  };
}
