// Reads config.json of either publisher: transformers ("janus", deepseek-community) and the original ("multi_modality",
// deepseek-ai).

import { ConfigFields } from './config-fields.js';
import { readOriginalConfig } from './config-original.js';
import type { ConfigContext } from './config-parts.js';
import { readTransformersConfig } from './config-transformers.js';
import type { JanusConfig } from './config-types.js';

/**
 * Reads and checks a Janus-Pro configuration.
 *
 * @param json - the parsed config.json
 * @throws {ConfigError} a field is missing, out of bounds, contradicts another, or asks for what Janus-Pro does not have
 */
export function readJanusConfig(json: unknown, context: ConfigContext): JanusConfig {
  const root = ConfigFields.of(json, context.file);
  const type = root.text('model_type', 'multi_modality');
  if (type === 'janus') return readTransformersConfig(root, context);
  if (type === 'multi_modality') return readOriginalConfig(root, context);
  return root.fail('CONFIG_NOT_SUPPORTED', 'model_type', `expected "janus" or "multi_modality", got "${type}"`);
}

export type { ConfigContext } from './config-parts.js';
