// What loading says about a folder that is damaged, incomplete or of another model, and that it leaves nothing behind.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { leakReport, LimenError, openSafetensors, type TensorToStore, writeSafetensors } from '@limen/tensor';
import { cudaUnavailable } from '@limen/tensor/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { CheckpointMismatchError } from '../errors/checkpoint-mismatch-error.js';
import { findGoldenFolder } from '../golden/find-golden.js';
import { itWith } from '../golden/for-each-golden.js';
import { loadJanus, type LoadOptions, type LoadProgress } from './load-janus.js';

const source = findGoldenFolder('janus-a').path ?? '';
let folder: string;
let aliveBefore: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'limen-model-'));
  for (const name of readdirSync(source).filter((file) => !/golden|images/.test(file))) {
    cpSync(join(source, name), join(folder, name));
  }
  aliveBefore = leakReport().length;
});

afterEach(() => {
  rmSync(folder, { recursive: true });
  expect(leakReport().length, 'tensors that are still alive').toBe(aliveBefore);
});

function errorOf(path = folder, options: LoadOptions = {}): LimenError {
  try {
    loadJanus(path, options).network[Symbol.dispose]();
  } catch (error) {
    if (LimenError.isInstance(error)) return error;
    throw error;
  }
  throw new LimenError('NOTHING_THROWN', 'the folder was loaded.');
}

/** Rewrites the weights with some tensors changed. */
function rewriteWeights(change: (tensors: Map<string, TensorToStore>) => void): void {
  const path = join(folder, 'model.safetensors');
  using stored = openSafetensors(path);
  const tensors = new Map<string, TensorToStore>();
  for (const name of stored.names()) tensors.set(name, { ...stored.info(name), bytes: stored.bytes(name).slice() });
  change(tensors);
  writeSafetensors(path, tensors);
}

function rewriteConfig(change: (config: Record<string, Record<string, unknown>>) => void): void {
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Record<string, unknown>>;
  change(config);
  writeFileSync(path, JSON.stringify(config));
}

describe('the weights', () => {
  it('lists missing, unexpected and misshapen tensors in one error', () => {
    rewriteWeights((tensors) => {
      tensors.delete('model.language_model.layers.1.mlp.up_proj.weight');
      tensors.set('model.language_model.layers.9.mlp.up_proj.weight', {
        dtype: 'f32',
        shape: [1],
        bytes: new Uint8Array(4),
      });
      tensors.set('model.language_model.norm.weight', { dtype: 'f32', shape: [2, 64], bytes: new Uint8Array(512) });
    });
    const error = errorOf();
    expect(error).toBeInstanceOf(CheckpointMismatchError);
    expect(error.code).toBe('CHECKPOINT_MISMATCH');
    expect(error.details).toEqual({
      missing: ['model.language_model.layers.1.mlp.up_proj.weight'],
      unexpected: ['model.language_model.layers.9.mlp.up_proj.weight'],
      wrongShape: [{ name: 'model.language_model.norm.weight', expected: [128], got: [2, 64] }],
    });
    expect(error.message).toContain('Are config.json and the weights of one model?');
    expect(error.message).toMatch(
      /1 missing:\n.*layers\.1\..*\n.*1 unexpected:\n.*layers\.9\..*\n.*1 of the wrong shape:\n.*expected \[128\], got \[2,64\]/,
    );
  });

  it('shows the first dozen of many problems, and holds all of them', () => {
    rewriteWeights((tensors) => {
      for (const name of [...tensors.keys()].filter((key) => key.includes('vision_model'))) tensors.delete(name);
    });
    const error = errorOf();
    const missing = error.details['missing'] as string[];
    expect(missing.length).toBeGreaterThan(12);
    expect(error.message).toContain(`${missing.length} missing`);
    expect(error.message).toContain(`and ${missing.length - 12} more`);
  });

  it('names a tensor whose element type holds no weights', () => {
    rewriteWeights((tensors) => {
      tensors.set('model.language_model.norm.weight', { dtype: 'i32', shape: [128], bytes: new Uint8Array(512) });
    });
    const error = errorOf();
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(
      /model\.language_model\.norm\.weight is stored as i32: expected f32, f16 or bf16\. .+/,
    );
  });

  it.each([
    ['inside a tensor', 1_000_000, 'SAFETENSORS_FILE_SIZE_MISMATCH'],
    ['inside the header', 1000, 'SAFETENSORS_HEADER_TRUNCATED'],
    ['before the header', 4, 'SAFETENSORS_FILE_TOO_SHORT'],
  ])('says that a file was cut off %s', (_where, bytes, code) => {
    truncateSync(join(folder, 'model.safetensors'), bytes);
    const error = errorOf();
    expect(error.code).toBe(code);
    expect(error.message).toContain(join(folder, 'model.safetensors'));
  });

  it('says which files it looked for when there are none', () => {
    rmSync(join(folder, 'model.safetensors'));
    expect(errorOf()).toMatchObject({ code: 'CHECKPOINT_NOT_FOUND' });
  });
});

describe('the configuration', () => {
  it('is held against the tensors: a wider decoder than was stored is a list of wrong shapes', () => {
    rewriteConfig(({ text_config }) => Object.assign(text_config ?? {}, { intermediate_size: 320 }));
    const error = errorOf();
    expect(error.code).toBe('CHECKPOINT_MISMATCH');
    expect(error.details['wrongShape']).toContainEqual({
      name: 'model.language_model.layers.0.mlp.gate_proj.weight',
      expected: [320, 128],
      got: [256, 128],
    });
  });

  it('is held against the tensors: fewer layers than were stored are unexpected tensors', () => {
    rewriteConfig(({ text_config }) => Object.assign(text_config ?? {}, { num_hidden_layers: 2 }));
    const unexpected = errorOf().details['unexpected'] as string[];
    expect(unexpected.length).toBeGreaterThan(0);
    expect(unexpected.every((name) => name.includes('layers.2.'))).toBe(true);
  });

  it('must be JSON', () => {
    writeFileSync(join(folder, 'config.json'), '{ "model_type": ');
    const error = errorOf();
    expect(error.code).toBe('CONFIG_FILE_INVALID');
    expect(error.message).toContain(join(folder, 'config.json'));
  });
});

describe('the files', () => {
  it.each(['config.json', 'tokenizer.json'])('says that %s is missing, and where it was looked for', (name) => {
    rmSync(join(folder, name));
    const error = errorOf();
    expect(error.code).toBe('CONFIG_FILE_MISSING');
    expect(error.message).toMatch(
      new RegExp(
        `${name.replace('.', '\\.')} not found: expected it there or in .+\\. Pass the folder of a complete model\\.$`,
      ),
    );
    expect(error.details).toMatchObject({ file: name });
  });

  it('says that a folder does not exist', () => {
    const error = errorOf(join(folder, 'no-such-model'));
    expect(error.code).toBe('CHECKPOINT_NOT_FOUND');
    expect(error.message).toContain(join(folder, 'no-such-model'));
    expect(error.message).toMatch(/expected the folder of a model, got nothing\. .+/);
  });

  it('says that a file is not a folder', () => {
    const error = errorOf(join(folder, 'config.json'));
    expect(error.code).toBe('CHECKPOINT_NOT_FOUND');
    expect(error.message).toMatch(/expected the folder of a model, got a file\. .+/);
  });
});

describe('the options', () => {
  itWith(cudaUnavailable() !== undefined, 'this machine has a GPU')(
    'says why a GPU is not available, and what else would work',
    () => {
      const error = errorOf(folder, { device: 'cuda' });
      expect(error.code).toBe('DEVICE_NOT_AVAILABLE');
      expect(error.message).toMatch(
        /^cuda:0 is not available: .+\. Run `limen doctor` for details, or use device 'cpu'\.$/,
      );
    },
  );

  it('names the devices when one is unknown', () => {
    const error = errorOf(folder, { device: 'gpu' });
    expect(error.code).toBe('UNKNOWN_DEVICE');
    expect(error.message).toMatch(/expected 'cpu', 'cuda' or 'cuda:N', got 'gpu'\. .+/);
  });

  it.each(['float32', 'i32', 'f8e4m3'])('refuses weights of type %s before it reads any', (dtype) => {
    rmSync(join(folder, 'model.safetensors'));
    const error = errorOf(folder, { dtype: dtype as 'f32' });
    expect(error.code).toBe('UNSUPPORTED_DTYPE');
    expect(error.message).toMatch(
      new RegExp(`dtype is not allowed: expected auto \\| f32 \\| f16 \\| bf16, got ${dtype}\\. .+`),
    );
  });

  it('names the quantisations when one is unknown', () => {
    const error = errorOf(folder, { quantization: 'int4' as 'int8' });
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(/quantization is not allowed: expected none \| int8, got int4\. .+/);
  });
});

describe('loading', () => {
  it('reports every tensor, ends at the total, and disposing frees all of it', () => {
    const events: { status: string; loaded: number; total: number }[] = [];
    const { network } = loadJanus(folder, { onProgress: (event) => events.push(event) });
    expect(leakReport().length).toBeGreaterThan(aliveBefore);
    network[Symbol.dispose]();
    expect(events[0]).toMatchObject({ status: 'initiate', loaded: 0 });
    expect(events.at(-1)?.status).toBe('done');
    const loaded = events.filter(({ status }) => status === 'progress').map((event) => event.loaded);
    expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
    expect(loaded.at(-1)).toBe(events.at(-1)?.total);
  });

  it.each([
    ['the first tensor', 0, 'none'],
    ['half of the tensors', 0.5, 'none'],
    ['half of the tensors in 8 bits', 0.5, 'int8'],
  ] as const)('stops with the signal’s reason after %s and frees them', (_title, share, quantization) => {
    const controller = new AbortController();
    const reason = new Error('the user closed the window');
    const onProgress = ({ status, loaded, total }: LoadProgress) => {
      if (status === 'progress' && loaded > share * total) controller.abort(reason);
    };
    expect(() => loadJanus(folder, { quantization, signal: controller.signal, onProgress })).toThrow(reason);
  });

  it('frees everything when a listener throws at the end', () => {
    const reason = new Error('the display is gone');
    const onProgress = ({ status }: LoadProgress) => {
      if (status === 'done') throw reason;
    };
    expect(() => loadJanus(folder, { onProgress })).toThrow(reason);
  });

  it('stops before any work when the signal has aborted already', () => {
    const reason = new Error('too late');
    let events = 0;
    expect(() => loadJanus(folder, { signal: AbortSignal.abort(reason), onProgress: () => events++ })).toThrow(reason);
    expect(events).toBe(0);
  });
});
