// Names and bytes of both publishers' checkpoints, and the one report of everything that does not fit.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { openCheckpoint, type StoredTensorInfo, type TensorSource } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { CheckpointMismatchError } from '../errors/checkpoint-mismatch-error.js';
import { findSharedFolder } from '../golden/find-golden.js';
import { describeGolden, itWith } from '../golden/for-each-golden.js';
import { checkJanusWeights } from './check-weights.js';
import { openTorchCheckpoint } from './pickle/torch-checkpoint.js';
import { janusWeights } from './weight-names.js';

/** A source without bytes: each element is its own index. */
function sourceOf(shapes: ReadonlyMap<string, readonly number[]>): TensorSource {
  const info = (name: string): StoredTensorInfo => {
    const shape = shapes.get(name) ?? [];
    return { dtype: 'u8', shape, byteOffset: 100, byteLength: shape.reduce((a, b) => a * b, 1) };
  };
  return {
    names: () => [...shapes.keys()],
    has: (name) => shapes.has(name),
    info,
    bytes: (name) => Uint8Array.from({ length: info(name).byteLength }, (_, index) => index),
    close() {},
    [Symbol.dispose]() {},
  };
}

function tableOf(path: string): ReadonlyMap<string, readonly number[]> {
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [name = '', shape = ''] = line.split('\t');
      return [name, JSON.parse(shape) as number[]];
    }),
  );
}

describe('janusWeights', () => {
  it('splits query, key and value by rows and drops the leading axis of the positions', () => {
    const source = janusWeights(
      sourceOf(
        new Map([
          ['vision_model.vision_tower.blocks.7.attn.qkv.weight', [6, 2]],
          ['vision_model.vision_tower.pos_embed', [1, 4, 2]],
          ['vision_model.vision_tower.attn_pool.latent', [1, 1, 2]],
          ['gen_vision_model.quantize.codebook_used', [8]],
          ['language_model.model.layers.0.self_attn.rotary_emb.inv_freq', [8]],
          ['something.else', [1]],
        ]),
      ),
    );
    const attention = 'model.vision_model.encoder.layers.7.self_attn';
    const positions = 'model.vision_model.embeddings.position_embedding.weight';
    expect(source.names()).toEqual([
      ...['q', 'k', 'v'].map((part) => `${attention}.${part}_proj.weight`),
      positions,
      'something.else',
    ]);
    expect(source.info(`${attention}.k_proj.weight`)).toEqual({
      dtype: 'u8',
      shape: [2, 2],
      byteOffset: 104,
      byteLength: 4,
    });
    expect([...source.bytes(`${attention}.v_proj.weight`)]).toEqual([8, 9, 10, 11]);
    expect(source.info(positions).shape).toEqual([4, 2]);
    expect(source.bytes(positions)).toHaveLength(8);
    expect(() => source.info('lm_head.weight')).toThrow('tensor not found');
  });

  it('leaves what it cannot split to the comparison of shapes', () => {
    const source = janusWeights(sourceOf(new Map([['vision_model.vision_tower.blocks.0.attn.qkv.bias', [7]]])));
    expect(source.info('model.vision_model.encoder.layers.0.self_attn.q_proj.bias').shape).toEqual([7]);
  });

  const tables = findSharedFolder('reference/tensors', 'janus_pro_7b_hf.tsv');
  for (const size of ['1b', '7b']) {
    itWith(tables.path !== undefined, tables.reason ?? '')(
      `turns the original tensors of the ${size} model into exactly those of transformers`,
      () => {
        const table = (kind: string) => tableOf(join(tables.path ?? '', `janus_pro_${size}_${kind}.tsv`));
        const expected = table('hf');
        for (const source of [janusWeights(sourceOf(table('original'))), janusWeights(sourceOf(expected))]) {
          const shapes = Object.fromEntries(source.names().map((name) => [name, source.info(name).shape]));
          expect(shapes).toEqual(Object.fromEntries(expected));
        }
      },
    );
  }
});

describe('checkJanusWeights', () => {
  const expected = new Map([
    ['a', [2]],
    ['b', [3, 4]],
    ['c', [1]],
  ]);

  it('accepts a checkpoint that fits, with or without the image encoder', () => {
    checkJanusWeights(sourceOf(expected), expected, 'here');
    checkJanusWeights(
      sourceOf(
        new Map([...expected, ['model.vqmodel.encoder.conv_in.weight', [1]], ['model.vqmodel.quant_conv.bias', [1]]]),
      ),
      expected,
      'here',
    );
  });

  it('reports everything at once', () => {
    let thrown: unknown;
    try {
      checkJanusWeights(
        sourceOf(
          new Map([
            ['a', [2]],
            ['b', [4, 3]],
            ['x', [1]],
            ['y', [1]],
          ]),
        ),
        expected,
        'here',
      );
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CheckpointMismatchError);
    expect((thrown as CheckpointMismatchError).details).toEqual({
      missing: ['c'],
      unexpected: ['x', 'y'],
      wrongShape: [{ name: 'b', expected: [3, 4], got: [4, 3] }],
    });
    expect((thrown as CheckpointMismatchError).message).toContain('2 unexpected:\n    x\n    y\n');
  });
});

describeGolden(['janus-a', 'janus-b'], 'janusWeights', (path, name) => {
  const shared = findSharedFolder(
    `golden/${name}/original`,
    name === 'janus-a' ? 'pytorch_model.bin' : 'model.safetensors',
  );
  itWith(shared.path !== undefined, shared.reason ?? '')(
    'gives the same names, types and bytes for both publishers',
    () => {
      using expected = janusWeights(openCheckpoint(path));
      using original = janusWeights(openCheckpoint(shared.path ?? '', { openPickle: openTorchCheckpoint }));
      expect([...original.names()].sort()).toEqual([...expected.names()].sort());
      for (const tensor of expected.names()) {
        const { dtype, shape } = expected.info(tensor);
        expect(original.info(tensor)).toMatchObject({ dtype, shape });
        expect(Buffer.compare(original.bytes(tensor), expected.bytes(tensor)), tensor).toBe(0);
      }
    },
  );
});
