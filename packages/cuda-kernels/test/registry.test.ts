// The table of ops is what was linked, the folders are what was written: they must agree, since nothing lists them.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

import { loadNative } from '../src/load-native.js';
import type { NativeBinding } from '../src/native-types.js';

const { binding: loaded, reason } = loadNative();
const binding = loaded as NativeBinding;
if (loaded === null) console.log(`skipped: ${reason}`);
const withCuda = loaded !== null && loaded.cudaStatus().compiled;
if (loaded !== null && !withCuda)
  console.log('skipped: the CUDA half of the registry, this addon was built without CUDA');

const native = path.resolve(import.meta.dirname, '../native');

/** Names that the sources of a folder register, by file. */
function registrations(folder: string, extension: string, macro: string): { file: string; name: string }[] {
  const pattern = new RegExp(`^${macro}\\(\\s*(\\w+)`, 'gm');
  const files = readdirSync(path.join(native, folder)).filter((file) => file.endsWith(extension));
  return files.flatMap((file) => {
    const text = readFileSync(path.join(native, folder, file), 'utf8');
    return [...text.matchAll(pattern)].map((match) => ({ file, name: match[1] ?? '' }));
  });
}

function table(backend: 'cpu' | 'cuda'): string[] {
  return binding
    .ops()
    .filter((op) => op.backend === backend)
    .map((op) => op.name)
    .sort();
}

const halves = [
  { backend: 'cpu', folder: 'cpu', extension: '.cc', macro: 'REGISTER_CPU_OP', runs: loaded !== null },
  { backend: 'cuda', folder: 'kernels', extension: '.cu', macro: 'REGISTER_CUDA_OP', runs: withCuda },
] as const;

describe.each(halves)('native/$folder', ({ backend, folder, extension, macro, runs }) => {
  const written = registrations(folder, extension, macro);

  test('registers each op in the file of its name', () => {
    const misplaced = written.filter(({ file, name }) => file.split('.')[0] !== name);
    expect(misplaced).toEqual([]);
  });

  test.skipIf(!runs)('is in the addon as it is written', () => {
    expect(table(backend)).toEqual(written.map(({ name }) => name).sort());
  });
});

test.skipIf(loaded === null)('the addon has every member of NativeBinding and setErrorFactory', () => {
  const source = readFileSync(path.resolve(import.meta.dirname, '../src/native-types.ts'), 'utf8');
  const body = source.slice(source.indexOf('export interface NativeBinding'));
  const members = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)].map((match) => match[1] ?? '');
  expect(Object.keys(binding).sort()).toEqual([...members, 'setErrorFactory'].sort());
});
