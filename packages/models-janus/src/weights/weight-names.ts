// Presents a Janus-Pro checkpoint under transformers names, whichever publisher it comes from. The original names differ,
// its tower keeps query, key and value in one matrix, and its positions have a leading axis of 1.

import { LimenError } from '@limen/tensor';
import type { StoredTensorInfo, TensorSource } from '@limen/tensor';

/** How a tensor follows from a stored one: as it is, without its first axis of 1, or one of three equal blocks of rows. */
type Change = 'none' | 'drop-first-axis' | 0 | 1 | 2;

interface RenamedTensor {
  readonly stored: string;
  readonly change: Change;
}

const tower = /^vision_model\.vision_tower\./u;

// First match wins, so longer prefixes come first. $1, $2 are the numbers of layers and levels.
const renames: readonly (readonly [RegExp, string])[] = [
  [/^vision_model\.vision_tower\.patch_embed\.proj\./u, 'model.vision_model.embeddings.patch_embedding.'],
  [/^vision_model\.vision_tower\.blocks\.(\d+)\.norm([12])\./u, 'model.vision_model.encoder.layers.$1.layer_norm$2.'],
  [
    /^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.proj\./u,
    'model.vision_model.encoder.layers.$1.self_attn.projection_layer.',
  ],
  [/^vision_model\.vision_tower\.blocks\.(\d+)\.mlp\./u, 'model.vision_model.encoder.layers.$1.mlp.'],
  [/^vision_model\.vision_tower\.norm\./u, 'model.vision_model.post_layernorm.'],
  [/^aligner\.layers\.0\./u, 'model.aligner.fc1.'],
  [/^gen_aligner\.layers\.0\./u, 'model.generation_aligner.fc1.'],
  [/^gen_embed\./u, 'model.generation_embeddings.'],
  [/^gen_head\.output_mlp_projector\./u, 'model.generation_head.proj_out.'],
  [/^gen_head\.vision_head\./u, 'model.generation_head.vision_head.'],
  [/^gen_vision_model\.(encoder|decoder)\.mid\.0\./u, 'model.vqmodel.$1.mid.block_1.'],
  [/^gen_vision_model\.(encoder|decoder)\.mid\.1\./u, 'model.vqmodel.$1.mid.attn_1.'],
  [/^gen_vision_model\.(encoder|decoder)\.mid\.2\./u, 'model.vqmodel.$1.mid.block_2.'],
  [/^gen_vision_model\.decoder\.conv_blocks\.(\d+)\.res\./u, 'model.vqmodel.decoder.up.$1.block.'],
  [/^gen_vision_model\.decoder\.conv_blocks\./u, 'model.vqmodel.decoder.up.'],
  [/^gen_vision_model\.encoder\.conv_blocks\.(\d+)\.res\./u, 'model.vqmodel.encoder.down.$1.block.'],
  [/^gen_vision_model\.encoder\.conv_blocks\./u, 'model.vqmodel.encoder.down.'],
  [/^gen_vision_model\./u, 'model.vqmodel.'],
  [/^language_model\.model\./u, 'model.language_model.'],
  [/^language_model\.lm_head\./u, 'lm_head.'],
];

// The attention pool is not part of the model, the counters served training, and the rest can be computed.
const dropped = [/\.attn_pool\./u, /\.codebook_used$/u, /\.inv_freq$/u, /\.position_ids$/u];

/**
 * The same weights under the names that transformers gives them.
 *
 * @param source - a checkpoint under either publisher's names; closed with the result
 */
export function janusWeights(source: TensorSource): TensorSource {
  const renamed = new Map<string, RenamedTensor>();
  for (const stored of source.names()) {
    if (dropped.some((pattern) => pattern.test(stored))) continue;
    for (const [name, change] of transformersNames(stored)) renamed.set(name, { stored, change });
  }
  const find = (name: string): RenamedTensor => {
    const found = renamed.get(name);
    if (found !== undefined) return found;
    throw new LimenError(
      'WEIGHT_NOT_FOUND',
      `janusWeights: tensor not found: expected one of ${renamed.size} names, got "${name}". names() lists them.`,
      { name },
    );
  };
  return {
    names: () => [...renamed.keys()],
    has: (name) => renamed.has(name),
    info(name) {
      const { stored, change } = find(name);
      return changedInfo(source.info(stored), change);
    },
    bytes(name) {
      const { stored, change } = find(name);
      const bytes = source.bytes(stored);
      if (typeof change === 'string') return bytes;
      const { byteOffset, byteLength } = changedInfo(source.info(stored), change);
      const start = byteOffset - source.info(stored).byteOffset;
      return bytes.subarray(start, start + byteLength);
    },
    close: () => source.close(),
    [Symbol.dispose]: () => source.close(),
  };
}

/** The transformers names that a stored tensor gives rise to. A name that is already one, or unknown, stays as it is. */
function transformersNames(stored: string): readonly (readonly [string, Change])[] {
  if (tower.test(stored)) {
    const joined = /^vision_model\.vision_tower\.blocks\.(\d+)\.attn\.qkv\.(weight|bias)$/u.exec(stored);
    if (joined !== null) {
      const [, layer, kind] = joined;
      const name = (part: string) => `model.vision_model.encoder.layers.${layer}.self_attn.${part}_proj.${kind}`;
      return [
        [name('q'), 0],
        [name('k'), 1],
        [name('v'), 2],
      ];
    }
    if (stored.endsWith('.pos_embed'))
      return [['model.vision_model.embeddings.position_embedding.weight', 'drop-first-axis']];
  }
  // Layers of the projectors are counted with the activations between them: 2, 4, … are the second, third, ….
  const projector = /^(gen_)?aligner\.layers\.(\d*[02468])\.(weight|bias)$/u.exec(stored);
  if (projector !== null && projector[2] !== '0') {
    const [, drawing, layer, kind] = projector;
    return [
      [
        `model.${drawing === undefined ? 'aligner' : 'generation_aligner'}.hidden_layers.${Number(layer) / 2 - 1}.${kind}`,
        'none',
      ],
    ];
  }
  for (const [pattern, name] of renames) {
    if (pattern.test(stored)) return [[stored.replace(pattern, name), 'none']];
  }
  return [[stored, 'none']];
}

// Only ever narrows: a tensor that cannot be changed this way keeps its shape, and the comparison of shapes reports it.
function changedInfo(info: StoredTensorInfo, change: Change): StoredTensorInfo {
  const [first, ...rest] = info.shape;
  if (change === 'none' || first === undefined) return info;
  if (change === 'drop-first-axis') return first === 1 ? { ...info, shape: rest } : info;
  if (first % 3 !== 0) return info;
  const byteLength = info.byteLength / 3;
  return { ...info, shape: [first / 3, ...rest], byteLength, byteOffset: info.byteOffset + change * byteLength };
}
