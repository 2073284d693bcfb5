// The configuration as transformers writes it: text_config, vision_config, vq_config.

import type { ConfigFields } from './config-fields.js';
import {
  checkToken,
  type ConfigContext,
  finishImageCode,
  finishVision,
  readDType,
  readText,
  readTokens,
} from './config-parts.js';
import type { JanusConfig } from './config-types.js';

/** Reads a configuration of `model_type` "janus". */
export function readTransformersConfig(root: ConfigFields, context: ConfigContext): JanusConfig {
  const textFields = root.object('text_config');
  const visionFields = root.object('vision_config');
  const codeFields = root.object('vq_config');
  const text = readText(textFields);
  const width = text.hiddenSize;

  visionFields.only('hidden_act', 'gelu');
  visionFields.only('attention_bias', true);
  visionFields.only('use_qk_norm', false);
  visionFields.only('num_channels', 3);
  const hiddenSize = visionFields.integer('hidden_size', { most: 65536 });
  const ratio = visionFields.number('mlp_ratio', { least: 0.01, most: 64 });
  const vision = finishVision(visionFields, {
    hiddenSize,
    layers: visionFields.integer('num_hidden_layers', { most: 512 }),
    heads: visionFields.integer('num_attention_heads', { most: 1024 }),
    intermediateSize: Math.trunc(hiddenSize * ratio),
    imageSize: visionFields.integer('image_size', { most: 4096 }),
    patchSize: visionFields.integer('patch_size', { most: 512 }),
    imageTokens: visionFields.integer('num_image_tokens', { most: 65536 }),
    layerNormEpsilon: visionFields.number('layer_norm_eps', { most: 0.1, otherwise: 1e-6 }),
  });
  visionFields.equal(
    'projection_dim',
    visionFields.integer('projection_dim', { most: 65536 }),
    width,
    'text_config.hidden_size',
  );

  codeFields.only('hidden_act', 'gelu');
  codeFields.only('out_channels', 3);
  codeFields.equal(
    'projection_dim',
    codeFields.integer('projection_dim', { most: 65536 }),
    width,
    'text_config.hidden_size',
  );
  const headSize = codeFields.integer('image_token_embed_dim', { most: 65536, otherwise: width });
  codeFields.equal('image_token_embed_dim', headSize, width, 'text_config.hidden_size');
  const imageCode = finishImageCode(codeFields, {
    codebookSize: codeFields.integer('num_embeddings', { most: 1e6 }),
    codeSize: codeFields.integer('embed_dim', { most: 65536 }),
    latentChannels: codeFields.integer('latent_channels', { most: 65536 }),
    baseChannels: codeFields.integer('base_channels', { most: 8192 }),
    channelMultipliers: codeFields.integers('channel_multiplier', { most: 64 }, 8),
    residualBlocks: codeFields.integer('num_res_blocks', { most: 64 }),
    gridSize: codeFields.integer('num_patches', { most: 1024 }),
    alignerDepth: codeFields.integer('num_hidden_layers', { most: 16, otherwise: 2 }),
    headSize,
  });
  const drawn = imageCode.gridSize ** 2;
  codeFields.equal('num_patches', drawn, vision.imageTokens, 'squared, vision_config.num_image_tokens');

  const tokens = readTokens(root, context, text.vocabularySize);
  checkToken(textFields, 'bos_token_id', tokens.bos);
  checkToken(textFields, 'eos_token_id', tokens.eos);
  checkToken(textFields, 'pad_token_id', tokens.pad);
  checkToken(root, 'image_token_id', tokens.imagePlaceholder);
  const alignerDepth = visionFields.integer('depth', { most: 16, otherwise: 2 });
  return { text, vision, alignerDepth, imageCode, tokens, defaultDType: readDType(root) };
}
