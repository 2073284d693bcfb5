// The parts both kinds of configuration share, and what must hold between their numbers.

import type { DType } from '@limen/tensor';

import type { ConfigFields } from './config-fields.js';
import type { ImageCodeConfig, TextConfig, TokenConfig, VisionConfig } from './config-types.js';
import { janusTokens } from './special-tokens.js';

/** What the configuration is read with. */
export interface ConfigContext {
  /** Name of the file, for errors. */
  readonly file: string;
  /** Id of a token's text in the tokenizer; undefined when it has none. */
  readonly tokenId: (text: string) => number | undefined;
}

/** Values that stand in for missing fields of the decoder. */
export type TextDefaults = Readonly<
  Record<
    | 'hidden_size'
    | 'intermediate_size'
    | 'num_attention_heads'
    | 'num_hidden_layers'
    | 'vocab_size'
    | 'max_position_embeddings',
    number
  >
>;

/** Reads the decoder; Llama's `text_config` or `language_config`. */
export function readText(fields: ConfigFields, defaults?: TextDefaults): TextConfig {
  fields.only('model_type', 'llama');
  fields.only('hidden_act', 'silu');
  fields.only('attention_bias', false);
  fields.only('mlp_bias', false);
  if (fields.has('rope_scaling')) fields.fail('CONFIG_NOT_SUPPORTED', 'rope_scaling', 'expected null');
  const hiddenSize = fields.integer('hidden_size', { most: 65536, otherwise: defaults?.hidden_size });
  const heads = fields.integer('num_attention_heads', { most: 1024, otherwise: defaults?.num_attention_heads });
  const keyValueHeads = fields.integer('num_key_value_heads', { most: 1024, otherwise: heads });
  if (heads % keyValueHeads !== 0)
    fields.fail(
      'CONFIG_CONTRADICTION',
      'num_key_value_heads',
      `expected a divisor of num_attention_heads ${heads}, got ${keyValueHeads}`,
    );
  if (!fields.has('head_dim') && hiddenSize % heads !== 0)
    fields.fail(
      'CONFIG_CONTRADICTION',
      'num_attention_heads',
      `expected a divisor of hidden_size ${hiddenSize}, got ${heads}`,
    );
  const headSize = fields.integer('head_dim', { least: 2, most: 512, otherwise: hiddenSize / heads });
  if (headSize % 2 !== 0)
    fields.fail('CONFIG_CONTRADICTION', 'head_dim', `expected an even number for rotary positions, got ${headSize}`);
  // transformers 5 moved the base into rope_parameters.
  const rope = fields.has('rope_theta') ? fields : fields.object('rope_parameters', false);
  rope.only('rope_type', 'default');
  return {
    hiddenSize,
    intermediateSize: fields.integer('intermediate_size', { most: 262144, otherwise: defaults?.intermediate_size }),
    layers: fields.integer('num_hidden_layers', { most: 512, otherwise: defaults?.num_hidden_layers }),
    heads,
    keyValueHeads,
    headSize,
    vocabularySize: fields.integer('vocab_size', { most: 1e6, otherwise: defaults?.vocab_size }),
    maxPositions: fields.integer('max_position_embeddings', {
      most: 2 ** 24,
      otherwise: defaults?.max_position_embeddings,
    }),
    ropeBase: rope.number('rope_theta', { least: 1, most: 1e12, otherwise: 10000 }),
    rmsNormEpsilon: fields.number('rms_norm_eps', { most: 0.1, otherwise: 1e-6 }),
  };
}

/** Checks the vision tower. */
export function finishVision(fields: ConfigFields, vision: VisionConfig): VisionConfig {
  const { hiddenSize, heads, imageSize, patchSize, imageTokens } = vision;
  if (hiddenSize % heads !== 0)
    fields.fail(
      'CONFIG_CONTRADICTION',
      'num_attention_heads',
      `expected a divisor of the width ${hiddenSize}, got ${heads}`,
    );
  if (imageSize % patchSize !== 0)
    fields.fail(
      'CONFIG_CONTRADICTION',
      'image_size',
      `expected a multiple of the patch size ${patchSize}, got ${imageSize}`,
    );
  fields.equal('num_image_tokens', imageTokens, (imageSize / patchSize) ** 2, 'image_size / patch_size, squared');
  return vision;
}

/** Checks the image tokenizer. */
export function finishImageCode(fields: ConfigFields, code: ImageCodeConfig): ImageCodeConfig {
  const side = code.gridSize * 2 ** (code.channelMultipliers.length - 1);
  if (side > 8192)
    fields.fail('CONFIG_FIELD_INVALID', 'num_patches', `expected images of at most 8192 pixels a side, got ${side}`);
  for (const multiplier of code.channelMultipliers) {
    // GroupNorm has 32 groups throughout.
    if ((code.baseChannels * multiplier) % 32 !== 0)
      fields.fail(
        'CONFIG_CONTRADICTION',
        'base_channels',
        `expected every level to be a multiple of 32 channels, got ${code.baseChannels} x ${multiplier}`,
      );
  }
  return code;
}

/** Finds the special tokens in the tokenizer. */
export function readTokens(root: ConfigFields, { tokenId }: ConfigContext, vocabularySize: number): TokenConfig {
  const find = (text: string): number => {
    const id = tokenId(text);
    if (id === undefined) return root.fail('CONFIG_CONTRADICTION', 'tokenizer', `expected it to know ${text}`);
    if (id >= vocabularySize)
      root.fail(
        'CONFIG_CONTRADICTION',
        'vocab_size',
        `expected more than the id of ${text}, ${id}, got ${vocabularySize}`,
      );
    return id;
  };
  const { bos, eos, pad, beginOfImage, endOfImage, imagePlaceholder } = janusTokens;
  return {
    bos: find(bos),
    eos: find(eos),
    pad: find(pad),
    beginOfImage: find(beginOfImage),
    endOfImage: find(endOfImage),
    imagePlaceholder: find(imagePlaceholder),
  };
}

/** Checks an id that the configuration repeats. */
export function checkToken(fields: ConfigFields, name: string, expected: number): void {
  if (fields.has(name)) fields.equal(name, fields.integer(name, { least: 0, most: 1e6 }), expected, 'the tokenizer');
}

/** The type the weights are said to be in. */
export function readDType(fields: ConfigFields): DType {
  const name = fields.text(fields.has('dtype') ? 'dtype' : 'torch_dtype', 'bfloat16');
  if (name === 'bfloat16') return 'bf16';
  if (name === 'float16') return 'f16';
  if (name === 'float32') return 'f32';
  return fields.fail('CONFIG_NOT_SUPPORTED', 'torch_dtype', `expected bfloat16, float16 or float32, got "${name}"`);
}
