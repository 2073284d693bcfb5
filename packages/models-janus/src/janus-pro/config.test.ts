// Configurations of both publishers, as released, and what each field may not say.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { ConfigError } from '../errors/config-error.js';
import { describeGolden } from '../golden/for-each-golden.js';
import { readJanusConfig } from './config.js';
import { readJsonFile } from './config-fields.js';
import { resolveCheckpoint } from './resolve-checkpoint.js';
import { janusTokens } from './special-tokens.js';

const ids: Readonly<Record<string, number>> = {
  [janusTokens.bos]: 100000,
  [janusTokens.eos]: 100001,
  [janusTokens.pad]: 100015,
  [janusTokens.beginOfImage]: 100016,
  [janusTokens.endOfImage]: 100593,
  [janusTokens.imagePlaceholder]: 100594,
};
const context = { file: 'config.json', tokenId: (text: string) => ids[text] };

const transformers7b = {
  model_type: 'janus',
  image_token_id: 100594,
  torch_dtype: 'bfloat16',
  text_config: {
    model_type: 'llama',
    attention_bias: false,
    bos_token_id: 100000,
    eos_token_id: 100001,
    pad_token_id: 100015,
    head_dim: 128,
    hidden_act: 'silu',
    hidden_size: 4096,
    intermediate_size: 11008,
    max_position_embeddings: 16384,
    mlp_bias: false,
    num_attention_heads: 32,
    num_hidden_layers: 30,
    num_key_value_heads: 32,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 10000,
    vocab_size: 102400,
  },
  vision_config: {
    attention_bias: true,
    depth: 2,
    hidden_act: 'gelu',
    hidden_size: 1024,
    image_size: 384,
    layer_norm_eps: 1e-6,
    mlp_ratio: 4,
    num_attention_heads: 16,
    num_channels: 3,
    num_hidden_layers: 24,
    num_image_tokens: 576,
    patch_size: 16,
    projection_dim: 4096,
    use_qk_norm: false,
  },
  vq_config: {
    base_channels: 128,
    channel_multiplier: [1, 1, 2, 2, 4],
    embed_dim: 8,
    hidden_act: 'gelu',
    image_token_embed_dim: 4096,
    latent_channels: 256,
    num_embeddings: 16384,
    num_hidden_layers: 2,
    num_patches: 24,
    num_res_blocks: 2,
    out_channels: 3,
    projection_dim: 4096,
  },
};

const original7b = {
  model_type: 'multi_modality',
  torch_dtype: 'bfloat16',
  vision_config: {
    cls: 'CLIPVisionTower',
    params: { image_size: 384, model_name: 'siglip_large_patch16_384', select_feature: 'same', select_layer: -1 },
  },
  aligner_config: {
    cls: 'MlpProjector',
    params: { depth: 2, input_dim: 1024, n_embed: 4096, projector_type: 'mlp_gelu' },
  },
  gen_vision_config: { cls: 'VQ-16', params: { image_token_size: 16384, n_embed: 8 } },
  gen_aligner_config: { params: { depth: 2, input_dim: 8, n_embed: 4096, projector_type: 'mlp_gelu' } },
  gen_head_config: { params: { image_token_embed: 4096, image_token_size: 16384, n_embed: 4096 } },
  language_config: { model_type: 'llama', max_position_embeddings: 16384, num_hidden_layers: 30, vocab_size: 102400 },
};

/** A copy with one value replaced, named by its path; undefined removes it. */
function changed(config: object, path: string, value: unknown): unknown {
  const copy = structuredClone(config) as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const owner = keys.reduce((object, key) => object[key] as Record<string, unknown>, copy);
  if (value === undefined) delete owner[last];
  else owner[last] = value;
  return copy;
}

// Every message ends with what to do, behind what was expected and what came.
const saysWhatToDo = /[.?!] [A-Zn`].+[.?]$/s;

function errorOf(action: () => unknown): { code: string; field: unknown } {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) {
      expect(error.message).toMatch(saysWhatToDo);
      return { code: error.code, field: error.details.field };
    }
    throw error;
  }
  return { code: 'ACCEPTED', field: undefined };
}

describe('readJanusConfig', () => {
  it('reads the same 7B model from both publishers', () => {
    const config = readJanusConfig(transformers7b, context);
    expect(readJanusConfig(original7b, context)).toEqual(config);
    expect(config).toMatchObject({
      text: { hiddenSize: 4096, layers: 30, headSize: 128, ropeBase: 10000 },
      vision: { intermediateSize: 4096, imageTokens: 576 },
      alignerDepth: 2,
      imageCode: { gridSize: 24, channelMultipliers: [1, 1, 2, 2, 4], alignerDepth: 2 },
      tokens: { bos: 100000, pad: 100015, imagePlaceholder: 100594 },
      defaultDType: 'bf16',
    });
  });

  it('takes the rotary base from rope_parameters, where transformers 5 puts it', () => {
    const moved = changed(
      changed(transformers7b, 'text_config.rope_theta', undefined) as object,
      'text_config.rope_parameters',
      { rope_type: 'default', rope_theta: 5e5 },
    );
    expect(readJanusConfig(moved, context).text.ropeBase).toBe(5e5);
  });

  const bounded = [
    'text_config.hidden_size',
    'text_config.intermediate_size',
    'text_config.num_hidden_layers',
    'text_config.num_attention_heads',
    'text_config.num_key_value_heads',
    'text_config.head_dim',
    'text_config.vocab_size',
    'text_config.max_position_embeddings',
    'text_config.rope_theta',
    'text_config.rms_norm_eps',
    'vision_config.hidden_size',
    'vision_config.num_hidden_layers',
    'vision_config.num_attention_heads',
    'vision_config.mlp_ratio',
    'vision_config.image_size',
    'vision_config.patch_size',
    'vision_config.num_image_tokens',
    'vision_config.layer_norm_eps',
    'vision_config.projection_dim',
    'vision_config.depth',
    'vq_config.num_embeddings',
    'vq_config.embed_dim',
    'vq_config.latent_channels',
    'vq_config.base_channels',
    'vq_config.channel_multiplier',
    'vq_config.num_res_blocks',
    'vq_config.num_patches',
    'vq_config.num_hidden_layers',
    'vq_config.projection_dim',
  ];
  it.each(bounded)('refuses every wild value of %s by its name', (field) => {
    for (const value of [-1, 1e308, 2 ** 53, 'x', true, [], {}, [-1], [1e9]]) {
      expect(errorOf(() => readJanusConfig(changed(transformers7b, field, value), context))).toEqual({
        code: 'CONFIG_FIELD_INVALID',
        field,
      });
    }
  });

  it.each([
    ['text_config', undefined, 'CONFIG_FIELD_MISSING', 'text_config'],
    ['text_config.hidden_size', undefined, 'CONFIG_FIELD_MISSING', 'text_config.hidden_size'],
    ['vq_config.channel_multiplier', undefined, 'CONFIG_FIELD_MISSING', 'vq_config.channel_multiplier'],
    ['vision_config', [], 'CONFIG_FIELD_INVALID', 'vision_config'],
    ['model_type', 'llava', 'CONFIG_NOT_SUPPORTED', 'model_type'],
    ['torch_dtype', 'float8', 'CONFIG_NOT_SUPPORTED', 'torch_dtype'],
    ['text_config.attention_bias', true, 'CONFIG_NOT_SUPPORTED', 'text_config.attention_bias'],
    ['text_config.rope_scaling', { type: 'linear' }, 'CONFIG_NOT_SUPPORTED', 'text_config.rope_scaling'],
    ['text_config.hidden_act', 'gelu', 'CONFIG_NOT_SUPPORTED', 'text_config.hidden_act'],
    ['vision_config.use_qk_norm', true, 'CONFIG_NOT_SUPPORTED', 'vision_config.use_qk_norm'],
    ['text_config.num_key_value_heads', 5, 'CONFIG_CONTRADICTION', 'text_config.num_key_value_heads'],
    ['text_config.vocab_size', 100000, 'CONFIG_CONTRADICTION', 'vocab_size'],
    ['text_config.pad_token_id', 7, 'CONFIG_CONTRADICTION', 'text_config.pad_token_id'],
    ['image_token_id', 7, 'CONFIG_CONTRADICTION', 'image_token_id'],
    ['vision_config.projection_dim', 2048, 'CONFIG_CONTRADICTION', 'vision_config.projection_dim'],
    ['vision_config.num_image_tokens', 575, 'CONFIG_CONTRADICTION', 'vision_config.num_image_tokens'],
    ['vision_config.image_size', 385, 'CONFIG_CONTRADICTION', 'vision_config.image_size'],
    ['vq_config.num_patches', 23, 'CONFIG_CONTRADICTION', 'vq_config.num_patches'],
    ['vq_config.base_channels', 100, 'CONFIG_CONTRADICTION', 'vq_config.base_channels'],
  ])('with %s = %j reports %s at %s', (path, value, code, field) => {
    expect(errorOf(() => readJanusConfig(changed(transformers7b, path, value), context))).toEqual({ code, field });
  });

  it.each([
    ['language_config.vocab_size', 1e7, 'CONFIG_FIELD_INVALID', 'language_config.vocab_size'],
    ['vision_config.params.model_name', 'siglip_so400m', 'CONFIG_NOT_SUPPORTED', 'vision_config.params.model_name'],
    ['aligner_config.params.input_dim', 1152, 'CONFIG_CONTRADICTION', 'aligner_config.params.input_dim'],
    ['gen_aligner_config.params.n_embed', 2048, 'CONFIG_CONTRADICTION', 'gen_aligner_config.params.n_embed'],
    [
      'gen_head_config.params.image_token_size',
      8192,
      'CONFIG_CONTRADICTION',
      'gen_head_config.params.image_token_size',
    ],
  ])('with the original %s = %j reports %s at %s', (path, value, code, field) => {
    expect(errorOf(() => readJanusConfig(changed(original7b, path, value), context))).toEqual({ code, field });
  });

  it('refuses a tokenizer that lacks a special token, and files that are no objects', () => {
    expect(errorOf(() => readJanusConfig(transformers7b, { ...context, tokenId: () => undefined })).code).toBe(
      'CONFIG_CONTRADICTION',
    );
    for (const json of [null, [], 'x', 1])
      expect(errorOf(() => readJanusConfig(json, context)).code).toBe('CONFIG_FILE_INVALID');
  });
});

describeGolden(['janus-a', 'janus-b', 'janus-c'], 'readJanusConfig', (path) => {
  it('reads the folder and agrees with its recorded token ids', () => {
    const special = readJsonFile(join(path, 'golden.json')) as {
      special_ids: Record<string, number>;
      num_image_tokens: number;
    };
    const config = readJanusConfig(readJsonFile(join(path, 'config.json')), {
      file: path,
      tokenId: (text) => special.special_ids[text],
    });
    expect(config.vision.imageTokens).toBe(special.num_image_tokens);
    expect(config.tokens.endOfImage).toBe(special.special_ids['<end_of_image>']);
  });
});

describe('resolveCheckpoint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limen-resolve-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('looks in the folder, then in its parent', () => {
    const inner = join(folder, 'original');
    mkdirSync(inner);
    expect(errorOf(() => resolveCheckpoint(inner)).code).toBe('CONFIG_FILE_MISSING');
    for (const name of ['config.json', 'tokenizer.json', 'preprocessor_config.json'])
      writeFileSync(join(folder, name), '{}');
    writeFileSync(join(inner, 'config.json'), '{');
    expect(resolveCheckpoint(inner)).toEqual({
      weights: inner,
      config: join(inner, 'config.json'),
      tokenizer: join(folder, 'tokenizer.json'),
      preprocessor: join(folder, 'preprocessor_config.json'),
    });
    expect(errorOf(() => readJsonFile(join(inner, 'config.json'))).code).toBe('CONFIG_FILE_INVALID');
    expect(errorOf(() => readJsonFile(join(inner, 'absent'))).code).toBe('CONFIG_FILE_MISSING');
  });
});
