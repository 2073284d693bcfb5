// Runs every golden check that a folder has recordings for.

import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { InvalidArgumentError, type DType } from '@limen/tensor';

import { loadJanus } from '../janus-pro/load-janus.js';
import { checkDrawings } from './check-drawing.js';
import { checkPixels, checkPrompts, checkTokenizer } from './check-inputs.js';
import { checkGeneration, checkPasses, checkTower } from './check-understanding.js';
import { openGoldenFolder } from './golden-folder.js';
import { toleranceOf, type Verdict } from './verdict.js';

/** How to run a folder. */
export interface GoldenOptions {
  readonly device: string;
  readonly dtype: DType;
}

/**
 * Checks a checkpoint folder against its recordings, which lie in it or (for `original/`) in its parent.
 *
 * @param report - called for every verdict as it is reached
 * @throws {InvalidArgumentError} there are no recordings
 * @throws whatever loading the checkpoint throws
 */
export async function checkGoldenFolder(
  folder: string,
  { device, dtype }: GoldenOptions,
  report: (verdict: Verdict) => void,
): Promise<void> {
  const places = [resolve(folder), dirname(resolve(folder))];
  const recorded = places.find((place) => existsSync(join(place, 'golden.json')));
  if (recorded === undefined) {
    throw new InvalidArgumentError(`golden: ${folder} has no golden.json: expected one there or in ${places[1]}.`, {
      folder,
    });
  }
  const golden = openGoldenFolder(recorded);
  try {
    const loaded = loadJanus(folder, { device, dtype });
    using network = loaded.network;
    const run = { ...loaded, network, golden, tolerance: toleranceOf(dtype), report };
    checkTokenizer(run);
    checkPrompts(run);
    await checkPixels(run);
    await checkTower(run);
    await checkPasses(run);
    await checkGeneration(run);
    await checkDrawings(run);
  } finally {
    golden.close();
  }
}
