// The configuration as DeepSeek published it. It names its tower and its image tokenizer instead of describing them, and
// language_config may leave out everything that equals Llama's defaults.

import type { ConfigFields } from './config-fields.js';
import {
  type ConfigContext,
  finishImageCode,
  finishVision,
  readDType,
  readText,
  readTokens,
  type TextDefaults,
} from './config-parts.js';
import type { JanusConfig } from './config-types.js';

// LlamaConfig's own defaults: the original 7B gives three of its values only.
const llamaDefaults: TextDefaults = Object.freeze({
  hidden_size: 4096,
  intermediate_size: 11008,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  vocab_size: 32000,
  max_position_embeddings: 2048,
});

// The one tower the original knows, siglip_large_patch16_384.
const siglipLarge = Object.freeze({
  hiddenSize: 1024,
  layers: 24,
  heads: 16,
  intermediateSize: 4096,
  patchSize: 16,
  layerNormEpsilon: 1e-6,
});

// The one image tokenizer the original knows, VQ-16: 16 pixels per code and side.
const vq16 = Object.freeze({
  latentChannels: 256,
  baseChannels: 128,
  channelMultipliers: Object.freeze([1, 1, 2, 2, 4]),
  residualBlocks: 2,
});

/** Reads a configuration of `model_type` "multi_modality". */
export function readOriginalConfig(root: ConfigFields, context: ConfigContext): JanusConfig {
  const textFields = root.object('language_config');
  const text = readText(textFields, llamaDefaults);
  const width = text.hiddenSize;

  const tower = root.object('vision_config');
  tower.only('cls', 'CLIPVisionTower');
  const towerFields = tower.object('params');
  towerFields.only('model_name', 'siglip_large_patch16_384');
  towerFields.only('select_feature', 'same');
  const imageSize = towerFields.integer('image_size', { most: 4096 });
  const selected = towerFields.integer('select_layer', { least: -24, most: -1, otherwise: -1 });
  const vision = finishVision(towerFields, {
    ...siglipLarge,
    layers: siglipLarge.layers + selected + 1,
    imageSize,
    imageTokens: Math.trunc(imageSize / siglipLarge.patchSize) ** 2,
  });

  const aligner = root.object('aligner_config').object('params');
  aligner.only('projector_type', 'mlp_gelu');
  aligner.equal(
    'input_dim',
    aligner.integer('input_dim', { most: 65536 }),
    vision.hiddenSize,
    'width of the vision tower',
  );
  aligner.equal('n_embed', aligner.integer('n_embed', { most: 65536 }), width, 'language_config.hidden_size');

  const code = root.object('gen_vision_config');
  code.only('cls', 'VQ-16');
  const codeFields = code.object('params');
  const codeSize = codeFields.integer('n_embed', { most: 65536 });
  const codebookSize = codeFields.integer('image_token_size', { most: 1e6 });
  const drawAligner = root.object('gen_aligner_config').object('params');
  drawAligner.only('projector_type', 'mlp_gelu');
  drawAligner.equal(
    'input_dim',
    drawAligner.integer('input_dim', { most: 65536 }),
    codeSize,
    'gen_vision_config.params.n_embed',
  );
  drawAligner.equal('n_embed', drawAligner.integer('n_embed', { most: 65536 }), width, 'language_config.hidden_size');
  const head = root.object('gen_head_config').object('params');
  head.equal('n_embed', head.integer('n_embed', { most: 65536 }), width, 'language_config.hidden_size');
  head.equal(
    'image_token_size',
    head.integer('image_token_size', { most: 1e6 }),
    codebookSize,
    'gen_vision_config.params.image_token_size',
  );
  const imageCode = finishImageCode(codeFields, {
    ...vq16,
    codebookSize,
    codeSize,
    gridSize: Math.trunc(imageSize / 16),
    alignerDepth: drawAligner.integer('depth', { most: 16, otherwise: 1 }),
    headSize: head.integer('image_token_embed', { most: 65536 }),
  });

  const tokens = readTokens(root, context, text.vocabularySize);
  const defaultDType = readDType(root.has('torch_dtype') ? root : textFields);
  return {
    text,
    vision,
    alignerDepth: aligner.integer('depth', { most: 16, otherwise: 1 }),
    imageCode,
    tokens,
    defaultDType,
  };
}
