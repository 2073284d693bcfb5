// Writes a checkpoint with random weights: the files, names, shapes and sizes of a published one.

import { copyFileSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { janusTinyFolder } from '@limen/janus-tiny';
import { expectedTensors, type JanusConfig } from '@limen/models-janus';
import { InvalidArgumentError, type TensorToStore, writeSafetensors } from '@limen/tensor';
import { SeededRandom } from '@limen/tensor/testing';

import { progress } from '../progress.js';
import { checkpointConfig } from './checkpoint-config.js';
import { checkpointTokenizer } from './checkpoint-tokenizer.js';

/** As transformers cuts its checkpoints. */
const largestShard = 5e9;
const bf16Bytes = 2;
/** Random weights repeat after as many: what a loader does not notice. */
const period = 1 << 20;

/**
 * Writes weights in bf16, their index, configuration and tokenizer to `folder`, which is made.
 *
 * @returns bytes of the weights
 * @throws {InvalidArgumentError} the folder's disk has no room
 */
export function writeCheckpoint(folder: string, config: JanusConfig, shardBytes = largestShard): number {
  const tensors = [...expectedTensors(config)].map(([name, shape]) => ({
    name,
    shape,
    bytes: bf16Bytes * shape.reduce((product, extent) => product * extent, 1),
  }));
  const total = tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  mkdirSync(folder, { recursive: true });
  requireRoom(folder, total);

  const values = randomWeights(Math.max(...tensors.map(({ bytes }) => bytes)));
  const shards = shardsOf(tensors, shardBytes);
  const weightMap: Record<string, string> = {};
  for (const [index, shard] of shards.entries()) {
    const file = shards.length === 1 ? 'model.safetensors' : shardName(index, shards.length);
    const start = performance.now();
    const stored = new Map<string, TensorToStore>();
    for (const { name, shape, bytes } of shard) {
      stored.set(name, { dtype: 'bf16', shape, bytes: values.subarray(0, bytes) });
      weightMap[name] = file;
    }
    writeSafetensors(join(folder, file), stored, { format: 'pt' });
    const size = sumOf(shard);
    const rate = size / 1e6 / (performance.now() - start);
    progress(`${file}: ${(size / 1e9).toFixed(2)} GB written at ${rate.toFixed(1)} GB/s`);
  }
  const writeJson = (name: string, content: object) => writeFileSync(join(folder, name), JSON.stringify(content));
  if (shards.length > 1) {
    writeJson('model.safetensors.index.json', { metadata: { total_size: total }, weight_map: weightMap });
  }
  writeJson('config.json', checkpointConfig(config));
  writeJson('tokenizer.json', checkpointTokenizer(config));
  copyFileSync(join(janusTinyFolder(), 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'));
  return total;
}

interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

const sumOf = (tensors: readonly NamedTensor[]) => tensors.reduce((sum, { bytes }) => sum + bytes, 0);

function shardsOf(tensors: readonly NamedTensor[], most: number): NamedTensor[][] {
  const shards: NamedTensor[][] = [];
  for (const tensor of tensors) {
    const last = shards.at(-1);
    if (last === undefined || sumOf(last) + tensor.bytes > most) shards.push([tensor]);
    else last.push(tensor);
  }
  return shards;
}

function shardName(index: number, count: number): string {
  const five = (value: number) => String(value).padStart(5, '0');
  return `model-${five(index + 1)}-of-${five(count)}.safetensors`;
}

/** `bytes` bytes of bf16 between -1/32 and 1/32. */
function randomWeights(bytes: number): Uint8Array {
  const random = new SeededRandom(1);
  const block = new Uint16Array(Math.min(period, Math.ceil(bytes / bf16Bytes)));
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  for (let index = 0; index < block.length; index++) {
    float[0] = (random.uniform() - 0.5) / 16;
    block[index] = (bits[0] ?? 0) >>> 16;
  }
  const values = new Uint8Array(bytes);
  const source = new Uint8Array(block.buffer);
  for (let start = 0; start < bytes; start += source.byteLength)
    values.set(source.subarray(0, Math.min(source.byteLength, bytes - start)), start);
  return values;
}

function requireRoom(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free > bytes * 1.01) return;
  const gigabytes = (value: number) => `${(value / 1e9).toFixed(1)} GB`;
  throw new InvalidArgumentError(
    `start: ${folder} has no room for a checkpoint: expected ${gigabytes(bytes)}, got ${gigabytes(free)}. ` +
      'Name another place with --folder, a folder that exists with --checkpoint, or a smaller --model.',
    { folder, bytes, free },
  );
}
