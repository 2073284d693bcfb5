// Folders of weights: which files are found, and what an index may not say.

import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { CheckpointError } from '../errors/checkpoint-error.js';
import { openCheckpoint } from './checkpoint.js';
import type { TensorSource } from './tensor-source.js';
import { writeSafetensors } from './write-safetensors.js';

const root = mkdtempSync(join(tmpdir(), 'limen-checkpoint-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
function folderWith(files: Readonly<Record<string, string | readonly string[]>>): string {
  const folder = join(root, String(count++));
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    if (typeof content === 'string') writeFileSync(join(folder, name), content);
    else {
      const bytes = Uint8Array.of(content.length, 0, 0, 0);
      writeSafetensors(
        join(folder, name),
        new Map(content.map((tensor) => [tensor, { dtype: 'f32', shape: [1], bytes }])),
      );
    }
  }
  return folder;
}

const indexOf = (weightMap: unknown) => JSON.stringify({ metadata: { total_size: 1.5 }, weight_map: weightMap });
const index = 'model.safetensors.index.json';

// Every message ends with what to do, behind what was expected and what came.
const saysWhatToDo = /[.?!] [A-Zn`].+[.?]$/s;

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (!(error instanceof CheckpointError)) return `not a CheckpointError: ${String(error)}`;
    return saysWhatToDo.test(error.message) ? error.code : `no advice: ${error.message}`;
  }
  return 'accepted';
}

describe('openCheckpoint', () => {
  it('prefers a single file, and joins shards by their index', () => {
    expect(openCheckpoint(folderWith({ 'model.safetensors': ['a'], [index]: '{}' })).names()).toEqual(['a']);
    const folder = folderWith({
      's-1.safetensors': ['a', 'b'],
      's-2.safetensors': ['c'],
      [index]: indexOf({ a: 's-1.safetensors', c: 's-2.safetensors', b: 's-1.safetensors' }),
    });
    using source = openCheckpoint(folder);
    expect(source.names()).toEqual(['a', 'c', 'b']);
    expect(source.bytes('a')[0]).toBe(2);
    expect(source.bytes('c')[0]).toBe(1);
    expect(source.info('c').shape).toEqual([1]);
    expect(source.has('d')).toBe(false);
    expect(codeOf(() => source.info('d'))).toBe('CHECKPOINT_TENSOR_NOT_FOUND');
  });

  it('reads a file that cannot be mapped, and reports one that shrinks while open', () => {
    const folder = folderWith({ 'model.safetensors': ['a', 'b'] });
    const mapFile = () => {
      throw new RangeError('too large');
    };
    using source = openCheckpoint(folder, { mapFile });
    expect(source.bytes('b')).toHaveLength(4);
    truncateSync(join(folder, 'model.safetensors'), source.info('b').byteOffset + 1);
    expect(codeOf(() => source.bytes('b'))).toBe('CHECKPOINT_FILE_CHANGED');
    expect(source.bytes('a')).toHaveLength(4);
  });

  it('refuses pickles unless a reader for them is given', () => {
    const folder = folderWith({ 'pytorch_model.bin': 'x' });
    const fake = { names: () => ['p'] } as unknown as TensorSource;
    expect(codeOf(() => openCheckpoint(folder))).toBe('CHECKPOINT_PICKLE_REFUSED');
    expect(openCheckpoint(folder, { openPickle: () => fake })).toBe(fake);
    const sharded = folderWith({ 'p-1.bin': 'x', 'pytorch_model.bin.index.json': indexOf({ p: 'p-1.bin' }) });
    expect(codeOf(() => openCheckpoint(sharded))).toBe('CHECKPOINT_PICKLE_REFUSED');
  });

  it('refuses a folder without weights', () => {
    expect(codeOf(() => openCheckpoint(folderWith({})))).toBe('CHECKPOINT_NOT_FOUND');
  });

  it.each([
    ['no JSON', 'CHECKPOINT_INDEX_INVALID', '{'],
    ['a list', 'CHECKPOINT_INDEX_INVALID', '[]'],
    ['no weight_map', 'CHECKPOINT_INDEX_INVALID', '{"metadata":{}}'],
    ['a weight_map that is a list', 'CHECKPOINT_INDEX_INVALID', '{"weight_map":[]}'],
    ['a shard that is a number', 'CHECKPOINT_INDEX_INVALID', '{"weight_map":{"a":1}}'],
    ['a tensor twice', 'CHECKPOINT_INDEX_INVALID', '{"weight_map":{"a":"s.safetensors","a":"t.safetensors"}}'],
    ['a shard in the parent folder', 'CHECKPOINT_SHARD_NAME_INVALID', indexOf({ a: '../s.safetensors' })],
    ['an absolute shard', 'CHECKPOINT_SHARD_NAME_INVALID', indexOf({ a: '/etc/passwd' })],
    ['a hidden shard', 'CHECKPOINT_SHARD_NAME_INVALID', indexOf({ a: '.s' })],
    ['a shard with a NUL', 'CHECKPOINT_SHARD_NAME_INVALID', indexOf({ a: 's\0' })],
    ['a shard that is not there', 'CHECKPOINT_SHARD_MISSING', indexOf({ a: 't.safetensors' })],
    [
      'a tensor that is in no shard',
      'CHECKPOINT_TENSOR_NOT_IN_SHARD',
      indexOf({ a: 's.safetensors', b: 's.safetensors' }),
    ],
    ['too few tensors', 'CHECKPOINT_TENSOR_NOT_IN_INDEX', indexOf({ a: 'two.safetensors' })],
    [
      '10,001 shards',
      'CHECKPOINT_TOO_MANY_SHARDS',
      indexOf(Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`${i}`, `s${i}`]))),
    ],
  ])('refuses an index with %s', (_, code, text) => {
    const folder = folderWith({ 's.safetensors': ['a'], 'two.safetensors': ['a', 'b'], [index]: text });
    expect(codeOf(() => openCheckpoint(folder))).toBe(code);
  });
});
