// Pickles and archives made by hand, harmless and hostile, and a real file of torch.save.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LimenError, openCheckpoint } from '@limen/tensor';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';

import { UnsafePickleError } from '../../errors/unsafe-pickle-error.js';
import { describeGolden, itWith } from '../../golden/for-each-golden.js';
import { findSharedFolder } from '../../golden/find-golden.js';
import { openTorchCheckpoint } from './torch-checkpoint.js';
import { bytesOf, floatStorage, pickle, stateDict, tensor, torchZip, zip } from './torch-file-maker.js';

const folder = mkdtempSync(join(tmpdir(), 'limen-torch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function open(bytes: Uint8Array) {
  const path = join(folder, 'pytorch_model.bin');
  writeFileSync(path, bytes);
  return openTorchCheckpoint(path);
}

// Every message ends with what to do, behind what was expected and what came.
const saysWhatToDo = /[.?!] [A-Zn`].+[.?]$/s;

function errorOf(action: () => unknown): LimenError {
  try {
    action();
  } catch (error) {
    if (LimenError.isInstance(error)) {
      expect(error.message).toMatch(saysWhatToDo);
      return error;
    }
    throw error;
  }
  return new LimenError('ACCEPTED', '');
}

const codeOf = (bytes: Uint8Array) => errorOf(() => open(bytes)).code;
const four = new Float32Array([1, 2, 3, 4]);
const view = (offset: number, size: readonly number[], stride: readonly number[]) =>
  torchZip(stateDict({ w: tensor(floatStorage('0', 4), offset, size, stride) }), { 0: bytesOf(four) });
const floatsOf = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)];

describe('openTorchCheckpoint', () => {
  it('reads dense views where they lie and strided ones in row-major order', () => {
    expect(floatsOf(open(view(0, [2, 2], [2, 1])).bytes('w'))).toEqual([1, 2, 3, 4]);
    expect(floatsOf(open(view(1, [3], [1])).bytes('w'))).toEqual([2, 3, 4]);
    expect(floatsOf(open(view(0, [2, 2], [1, 2])).bytes('w'))).toEqual([1, 3, 2, 4]);
    expect(floatsOf(open(view(1, [2], [2])).bytes('w'))).toEqual([2, 4]);
    expect(floatsOf(open(view(2, [2, 2], [0, 1])).bytes('w'))).toEqual([3, 4, 3, 4]);
    expect(floatsOf(open(view(4, [0, 7], [7, 1])).bytes('w'))).toEqual([]);
    expect(floatsOf(open(view(3, [], [])).bytes('w'))).toEqual([4]);
  });

  it('reads parameters, attributes of dictionaries, wrapped state dicts and archives with 64-bit records', () => {
    const body = tensor(floatStorage('0', 4), 0, [4], [1]);
    const parameter = pickle('ctorch._utils\n_rebuild_parameter\n', '(', body, 0x89, ')', 't', 'R');
    const storages = { 0: bytesOf(four) };
    expect(open(torchZip(stateDict({ w: parameter }), storages)).names()).toEqual(['w']);
    const attributes = pickle(
      0x80,
      2,
      'ccollections\nOrderedDict\n',
      ')',
      'R',
      '(',
      'X',
      1,
      0,
      0,
      0,
      'w',
      body,
      'u',
      '}',
      'b',
      '.',
    );
    expect(open(torchZip(attributes, storages)).names()).toEqual(['w']);
    const inner = stateDict({ w: body });
    const wrapped = pickle(
      0x80,
      2,
      '}',
      '(',
      'X',
      10,
      0,
      0,
      0,
      'state_dict',
      inner.subarray(2, -1),
      'X',
      5,
      0,
      0,
      0,
      'epoch',
      'K',
      7,
      'u',
      '.',
    );
    expect(open(torchZip(wrapped, storages)).names()).toEqual(['w']);
    expect(floatsOf(open(torchZip(stateDict({ w: body }), storages, { wide: true })).bytes('w'))).toEqual([1, 2, 3, 4]);
  });

  it('lists a tensor of 64-bit integers and refuses to read it', () => {
    const source = open(
      torchZip(stateDict({ w: tensor(floatStorage('0', 2, 'LongStorage'), 0, [2], [1]) }), { 0: new Uint8Array(16) }),
    );
    expect(source.info('w')).toMatchObject({ dtype: 'i64', shape: [2], byteLength: 16 });
    expect(errorOf(() => source.bytes('w')).code).toBe('TORCH_DTYPE_NOT_SUPPORTED');
    expect(errorOf(() => source.info('v')).code).toBe('TORCH_TENSOR_NOT_FOUND');
  });

  it('refuses to read after close, missing files, and folders', () => {
    const source = open(view(0, [4], [1]));
    source.close();
    expect(errorOf(() => source.bytes('w')).code).toBe('TORCH_CLOSED');
    expect(errorOf(() => openTorchCheckpoint(join(folder, 'absent'))).code).toBe('TORCH_FILE_UNREADABLE');
    expect(errorOf(() => openTorchCheckpoint(folder)).code).toBe('TORCH_FILE_UNREADABLE');
  });

  it.each([
    ['os.system', pickle(0x80, 2, 'cos\nsystem\n', 'X', 2, 0, 0, 0, 'id', 0x85, 'R', '.'), 'class "os.system"', 2],
    ['builtins.eval', pickle(0x80, 2, 'cbuiltins\neval\n', '.'), 'class "builtins.eval"', 2],
    ['torch.load', pickle(0x80, 2, 'ctorch\nload\n', '.'), 'class "torch.load"', 2],
    [
      'a newer rebuild function',
      pickle(0x80, 2, 'ctorch._utils\n_rebuild_tensor_v3\n', '.'),
      'class "torch._utils._rebuild_tensor_v3"',
      2,
    ],
    [
      'numpy',
      pickle(0x80, 2, 'cnumpy.core.multiarray\n_reconstruct\n', '.'),
      'class "numpy.core.multiarray._reconstruct"',
      2,
    ],
    [
      'a dotted name',
      pickle(0x80, 2, 'ctorch\n_utils._rebuild_tensor_v2.__globals__\n', '.'),
      'class "torch._utils._rebuild_tensor_v2.__globals__"',
      2,
    ],
    ['INST', pickle(0x80, 2, '(', 'ios\nsystem\n', '.'), 'opcode 0x69', 3],
    ['OBJ', pickle(0x80, 2, '(', 'ccollections\nOrderedDict\n', 'o', '.'), 'opcode 0x6f', 28],
    ['NEWOBJ', pickle(0x80, 2, 'ccollections\nOrderedDict\n', ')', 0x81, '.'), 'opcode 0x81', 28],
    ['STACK_GLOBAL', pickle(0x80, 2, 'X', 2, 0, 0, 0, 'os', 'X', 6, 0, 0, 0, 'system', 0x93, '.'), 'opcode 0x93', 20],
    ['EXT1', pickle(0x80, 2, 0x82, 1, '.'), 'opcode 0x82', 2],
    [
      'a call of a storage type',
      pickle(0x80, 2, 'ctorch\nFloatStorage\n', ')', 'R', '.'),
      'a call of "torch.FloatStorage"',
      23,
    ],
    ['a call of a text', pickle(0x80, 2, 'X', 1, 0, 0, 0, 'x', ')', 'R', '.'), 'a call of a value', 9],
    ['attributes of a list', pickle(0x80, 2, ']', '}', 'b', '.'), 'attributes of an object', 4],
    [
      'a foreign persistent id',
      pickle(0x80, 2, 'X', 1, 0, 0, 0, 'x', 'Q', '.'),
      'a persistent id that is no storage',
      8,
    ],
    ['protocol 4', pickle(0x80, 4, '}', '.'), 'protocol 4', 0],
    ['a textual opcode of protocol 0', pickle('I1\n', '.'), 'opcode 0x49', 0],
  ])('refuses %s as unsafe and says where', (_, bytes, what, offset) => {
    const error = errorOf(() => open(torchZip(bytes, {})));
    expect(error).toBeInstanceOf(UnsafePickleError);
    expect(error.details).toMatchObject({ what, offset });
  });

  it.each([
    ['an empty file', 'TORCH_NOT_A_ZIP', new Uint8Array(0)],
    ['text', 'TORCH_NOT_A_ZIP', bytesOf(new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'))],
    ['the format before 1.6', 'TORCH_LEGACY_FORMAT', pickle(0x80, 2, 0x8a, 10, new Uint8Array(40))],
    ['an archive without pickle', 'TORCH_ENTRY_MISSING', zip([['a/version', Uint8Array.of(51)]])],
    [
      'a missing storage',
      'TORCH_ENTRY_MISSING',
      torchZip(stateDict({ w: tensor(floatStorage('1', 4), 0, [4], [1]) }), {}),
    ],
    [
      'a big-endian archive',
      'TORCH_BIG_ENDIAN',
      zip([
        ['a/data.pkl', stateDict({})],
        ['a/byteorder', new TextEncoder().encode('big')],
      ]),
    ],
    ['a compressed entry', 'TORCH_ZIP_COMPRESSED', zip([['a/data.pkl', stateDict({})]], { method: 8 })],
    [
      'one entry twice',
      'TORCH_ZIP_MALFORMED',
      zip([
        ['a/data.pkl', stateDict({})],
        ['a/data.pkl', stateDict({})],
      ]),
    ],
    [
      'a storage of the wrong size',
      'TORCH_STORAGE_INVALID',
      torchZip(stateDict({ w: tensor(floatStorage('0', 5), 0, [4], [1]) }), { 0: bytesOf(four) }),
    ],
    ['a view beyond its storage', 'TORCH_VIEW_INVALID', view(1, [4], [1])],
    ['a view whose stride leaves its storage', 'TORCH_VIEW_INVALID', view(0, [2, 2], [3, 1])],
    ['a view that repeats one element', 'TORCH_VIEW_INVALID', view(0, [1048576], [0])],
    ['strides of another rank', 'TORCH_VIEW_INVALID', view(0, [2, 2], [1])],
    ['nine axes', 'TORCH_VIEW_INVALID', view(0, [1, 1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1])],
    ['an empty pickle', 'TORCH_PICKLE_MALFORMED', torchZip(new Uint8Array(0), {})],
    ['a pickle cut off', 'TORCH_PICKLE_MALFORMED', torchZip(pickle(0x80, 2, 'X', 255, 255, 255, 255, 'x'), {})],
    ['a pickle that pops nothing', 'TORCH_PICKLE_MALFORMED', torchZip(pickle(0x80, 2, '.'), {})],
    ['a pickle that pops beyond a mark', 'TORCH_PICKLE_MALFORMED', torchZip(pickle(0x80, 2, '}', '(', 0x85, '.'), {})],
    ['an unknown memo', 'TORCH_PICKLE_MALFORMED', torchZip(pickle(0x80, 2, 'h', 9, '.'), {})],
    ['bytes after the pickle', 'TORCH_PICKLE_MALFORMED', torchZip(pickle(stateDict({}), 'x'), {})],
    [
      'a storage in the parent folder',
      'TORCH_PICKLE_MALFORMED',
      torchZip(stateDict({ w: tensor(floatStorage('../0', 4), 0, [4], [1]) }), {}),
    ],
    ['a list instead of a dictionary', 'TORCH_NOT_A_STATE_DICT', torchZip(pickle(0x80, 2, ']', '.'), {})],
    ['a value that is no tensor', 'TORCH_NOT_A_STATE_DICT', torchZip(stateDict({ w: pickle('K', 1) }), {})],
  ])('refuses %s with %s', (_, code, bytes) => {
    expect(codeOf(bytes)).toBe(code);
  });

  it('never fails in another way when bytes of a good file are changed', () => {
    const base = torchZip(
      stateDict({ w: tensor(floatStorage('0', 4), 1, [3], [1]), v: tensor(floatStorage('0', 4), 0, [2, 2], [1, 2]) }),
      { 0: bytesOf(four) },
      { wide: true },
    );
    const path = join(folder, 'mutated');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.byteLength - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const bytes = base.slice();
          for (const [position, value] of changes) bytes[position] = value;
          const error = errorOf(() => {
            const source = openTorchCheckpoint(path, { mapFile: () => bytes.buffer });
            for (const name of source.names()) expect(source.bytes(name).byteLength).toBe(source.info(name).byteLength);
          });
          expect(error.code).toMatch(/^(ACCEPTED|UNSAFE_PICKLE|TORCH_[A-Z0-9_]+)$/u);
          expect(error.code).not.toBe('TORCH_FILE_UNREADABLE');
        },
      ),
      { numRuns: 5_000, seed: 11 },
    );
  });
});

const shared = findSharedFolder('golden/janus-a', 'original/pytorch_model.bin');
const original = shared.path === undefined ? '' : join(shared.path, 'original');
describeGolden(['janus-a'], 'torch.save', (path) => {
  itWith(existsSync(original), shared.reason ?? 'no original folder')(
    'reads the same values as the safetensors file of the same weights',
    () => {
      using pickled = openCheckpoint(original, { openPickle: openTorchCheckpoint });
      using expected = openCheckpoint(path);
      expect(pickled.names()).toHaveLength(255);
      const bytes = (name: string, other: string) =>
        expect(Buffer.compare(pickled.bytes(name), expected.bytes(other))).toBe(0);
      bytes('language_model.model.embed_tokens.weight', 'model.language_model.embed_tokens.weight');
      bytes('gen_vision_model.quantize.embedding.weight', 'model.vqmodel.quantize.embedding.weight');
      expect(pickled.info('vision_model.vision_tower.pos_embed').shape).toEqual([1, 16, 64]);
    },
  );
});
