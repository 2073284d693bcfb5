// A folder of weights as published: one file, or shards and an index, as safetensors or (through a reader that the
// caller brings) as torch pickles. Whatever it is, one TensorSource comes out.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { CheckpointError } from '../errors/checkpoint-error.js';
import type { ByteFileOptions } from './byte-file.js';
import { openSafetensors } from './safetensors-file.js';
import { parseStrictJson } from './strict-json.js';
import type { StoredTensorInfo, TensorSource } from './tensor-source.js';

/** How a folder of weights is opened. */
export interface CheckpointOptions extends ByteFileOptions {
  /** Opens a `.bin` file. Without it pickles are refused: a pickle is a program, and reading one takes a restricted reader. */
  readonly openPickle?: (path: string) => TensorSource;
}

const largestShardCount = 10_000;
const largestIndexBytes = 64 * 2 ** 20;

/**
 * Opens `model.safetensors`, else `model.safetensors.index.json` and its shards, else `pytorch_model.bin`, else
 * `pytorch_model.bin.index.json` and its shards.
 *
 * @returns all tensors of the folder; the caller closes it
 * @throws {CheckpointError} no weights, or index and shards contradict each other
 * @throws {SafetensorsError} a file breaks a rule of the format
 */
export function openCheckpoint(folder: string, options: CheckpointOptions = {}): TensorSource {
  const safetensors = (path: string) => openSafetensors(path, options);
  const pickle = (path: string) => {
    if (options.openPickle !== undefined) return options.openPickle(path);
    throw new CheckpointError(
      'CHECKPOINT_PICKLE_REFUSED',
      `${path}: pickles are programs and are not read here: expected safetensors. Convert the file, or pass openPickle.`,
      { file: path },
    );
  };
  const single = join(folder, 'model.safetensors');
  if (existsSync(single)) return safetensors(single);
  const index = join(folder, 'model.safetensors.index.json');
  if (existsSync(index)) return openShards(folder, index, safetensors);
  const singlePickle = join(folder, 'pytorch_model.bin');
  if (existsSync(singlePickle)) return pickle(singlePickle);
  const pickleIndex = join(folder, 'pytorch_model.bin.index.json');
  if (existsSync(pickleIndex)) return openShards(folder, pickleIndex, pickle);
  throw new CheckpointError(
    'CHECKPOINT_NOT_FOUND',
    `${folder}: no weights found: expected model.safetensors, pytorch_model.bin, or an index of either. Is the download complete?`,
    { folder },
  );
}

function openShards(folder: string, indexPath: string, open: (path: string) => TensorSource): TensorSource {
  const weightMap = readIndex(indexPath);
  const shardNames = [...new Set(weightMap.values())];
  if (shardNames.length > largestShardCount) {
    throw new CheckpointError(
      'CHECKPOINT_TOO_MANY_SHARDS',
      `${indexPath}: too many shards: expected at most ${largestShardCount}, got ${shardNames.length}.`,
      { file: indexPath },
    );
  }
  const missing = shardNames.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    throw new CheckpointError(
      'CHECKPOINT_SHARD_MISSING',
      `${indexPath}: ${missing.length} of ${shardNames.length} shards are missing: ${missing.slice(0, 8).join(', ')}. Download them.`,
      { file: indexPath, missing },
    );
  }
  const shards = new Map<string, TensorSource>();
  const close = () => shards.forEach((shard) => shard.close());
  try {
    for (const name of shardNames) shards.set(name, open(join(folder, name)));
    const owners = checkOwners(indexPath, weightMap, shards);
    return createSource(indexPath, owners, close);
  } catch (error) {
    close();
    throw error;
  }
}

function readIndex(path: string): ReadonlyMap<string, string> {
  const invalid = (problem: string): never => {
    throw new CheckpointError('CHECKPOINT_INDEX_INVALID', `${path}: ${problem}.`, { file: path });
  };
  const bytes = readFileSync(path);
  if (bytes.byteLength > largestIndexBytes) invalid(`index is too large: got ${bytes.byteLength} bytes`);
  const parsed = parseStrictJson(bytes.toString('utf8'));
  // `metadata` may hold any number; only what breaks the mapping itself is refused.
  if (parsed.problem?.kind === 'syntax') invalid(`index is not JSON: ${parsed.problem.message}`);
  if (parsed.problem?.kind === 'duplicate-key') invalid(`index repeats the key "${parsed.problem.key.slice(0, 100)}"`);
  const root: unknown = parsed.problem === undefined ? parsed.value : JSON.parse(bytes.toString('utf8'));
  const map = typeof root === 'object' && root !== null ? (root as Record<string, unknown>).weight_map : undefined;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return invalid('index has no weight_map object');
  const result = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard !== 'string') return invalid(`weight_map "${tensor.slice(0, 100)}" is not a file name`);
    // A shard is a plain file of this folder: no separators, no parent, nothing hidden.
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,250}$/u.test(shard)) {
      throw new CheckpointError(
        'CHECKPOINT_SHARD_NAME_INVALID',
        `${path}: shard has a bad name: expected a plain file name, got "${shard.slice(0, 100)}".`,
        { file: path, shard },
      );
    }
    result.set(tensor, shard);
  }
  return result;
}

function checkOwners(
  indexPath: string,
  weightMap: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, TensorSource>,
): ReadonlyMap<string, TensorSource> {
  const owners = new Map<string, TensorSource>();
  for (const [tensor, shardName] of weightMap) {
    const shard = shards.get(shardName);
    if (shard === undefined || !shard.has(tensor)) {
      throw new CheckpointError(
        'CHECKPOINT_TENSOR_NOT_IN_SHARD',
        `${indexPath}: tensor "${tensor}" is not in its shard: expected it in ${shardName}. Download index and shards of one revision.`,
        { file: indexPath, tensor, shard: shardName },
      );
    }
    owners.set(tensor, shard);
  }
  for (const [shardName, shard] of shards) {
    const stray = shard.names().find((name) => weightMap.get(name) !== shardName);
    if (stray === undefined) continue;
    throw new CheckpointError(
      'CHECKPOINT_TENSOR_NOT_IN_INDEX',
      `${indexPath}: tensor "${stray}" of ${shardName} is not assigned to it by the index. Download index and shards of one revision.`,
      { file: indexPath, tensor: stray, shard: shardName },
    );
  }
  return owners;
}

function createSource(indexPath: string, owners: ReadonlyMap<string, TensorSource>, close: () => void): TensorSource {
  const owner = (name: string): TensorSource => {
    const found = owners.get(name);
    if (found !== undefined) return found;
    throw new CheckpointError(
      'CHECKPOINT_TENSOR_NOT_FOUND',
      `${indexPath}: tensor not found: expected one of ${owners.size} names, got "${name}".`,
      { file: indexPath, tensor: name },
    );
  };
  return {
    names: () => [...owners.keys()],
    has: (name) => owners.has(name),
    info: (name): StoredTensorInfo => owner(name).info(name),
    bytes: (name) => owner(name).bytes(name),
    close,
    [Symbol.dispose]: close,
  };
}
