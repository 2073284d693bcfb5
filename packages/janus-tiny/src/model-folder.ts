// Where the trained model lies on this machine.

import { fileURLToPath } from 'node:url';

/**
 * The folder with weights, configuration and tokenizer, for `loadModel` of `@limen/models-janus`.
 *
 * @example
 * using model = await loadModel(janusTinyFolder());
 */
export function janusTinyFolder(): string {
  // Source and built files both lie one folder below the package.
  return fileURLToPath(new URL('../model', import.meta.url));
}
