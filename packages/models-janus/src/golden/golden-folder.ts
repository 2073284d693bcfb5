// Reads a golden folder: prompts, ids and tolerances from golden.json, tensors from golden.safetensors.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { LimenError, openSafetensors } from '@limen/tensor';

/** A recorded tensor. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** One prompt with what the reference made of it. */
export interface GoldenPrompt {
  readonly text: string;
  /** Indices into `images`. */
  readonly images?: readonly number[];
  readonly input_ids?: readonly number[];
  readonly greedy_ids?: readonly number[];
  readonly cond_ids?: readonly number[];
  readonly tokens?: readonly number[];
}

/** One line of tokenizer_golden.json. */
export interface GoldenTokenizerCase {
  readonly text: string;
  readonly ids: readonly number[];
  readonly ids_with_bos: readonly number[];
  readonly decoded_skip_special: string;
  readonly decoded_keep_special: string;
}

/** The parts of golden.json that every kind of model shares; the rest is under its own key. */
export interface GoldenManifest {
  readonly weights_dtype: string;
  readonly special_ids: Readonly<Record<string, number>>;
  readonly prompts: Readonly<Record<string, GoldenPrompt | readonly GoldenPrompt[]>>;
  readonly tensors: Readonly<Record<string, readonly [string, readonly number[]]>>;
  readonly [key: string]: unknown;
}

/** A golden folder; tensors are read when asked for. */
export interface GoldenFolder {
  readonly path: string;
  readonly manifest: GoldenManifest;
  /** Paths of images/img0.png, … in order. */
  readonly images: readonly string[];
  names(): readonly string[];
  has(name: string): boolean;
  /** @throws {SafetensorsError} there is no tensor of that name */
  tensor(name: string): GoldenTensor;
  /** The single prompt under `name`. */
  prompt(name: string): GoldenPrompt;
  tokenizerCases(): readonly GoldenTokenizerCase[];
  close(): void;
}

/** Opens a folder in the format of the golden scripts; the caller closes it. */
export function openGoldenFolder(path: string): GoldenFolder {
  const manifest = JSON.parse(readFileSync(join(path, 'golden.json'), 'utf8')) as GoldenManifest;
  const file = openSafetensors(join(path, 'golden.safetensors'));
  return {
    path,
    manifest,
    images: [0, 1, 2].map((index) => join(path, 'images', `img${index}.png`)),
    names: () => file.names(),
    has: (name) => file.has(name),
    tensor(name) {
      const { dtype, shape } = file.info(name);
      // A copy of its own is aligned, whatever the tensor's place in the file.
      const bytes = file.bytes(name).slice();
      if (dtype === 'f32') return { shape, values: new Float32Array(bytes.buffer) };
      if (dtype === 'i32') return { shape, values: new Int32Array(bytes.buffer) };
      if (dtype === 'u8') return { shape, values: bytes };
      throw new LimenError('GOLDEN_DTYPE', `${path}: golden tensor "${name}": expected f32, i32 or u8, got ${dtype}.`);
    },
    prompt(name) {
      const found = manifest.prompts[name];
      if (found !== undefined && !Array.isArray(found)) return found as GoldenPrompt;
      throw new LimenError('GOLDEN_PROMPT', `${path}: golden.json holds no single prompt "${name}".`);
    },
    tokenizerCases: () =>
      JSON.parse(readFileSync(join(path, 'tokenizer_golden.json'), 'utf8')) as GoldenTokenizerCase[],
    close: () => file.close(),
  };
}
