// The only file that touches the binary: where it may lie, and the one `require` of it.

import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { createNativeError } from './errors/create-native-error.js';
import type { NativeBinding } from './native-types.js';

/** Where a file was looked for. */
export type AddonSource = 'LIMEN_NATIVE_PATH' | 'local build' | 'prebuild';

export interface AddonCandidate {
  readonly path: string;
  readonly source: AddonSource;
}

interface Addon extends NativeBinding {
  setErrorFactory(create: (code: string, text: string) => Error): void;
}

/**
 * Files that may be the addon, the preferred one first. An explicit path excludes the others: a silent switch to another
 * binary would hide the mistake.
 */
export function listAddonCandidates(root: string, explicitPath: string | undefined): readonly AddonCandidate[] {
  if (explicitPath !== undefined) return [{ path: path.resolve(explicitPath), source: 'LIMEN_NATIVE_PATH' }];
  const local: AddonCandidate = { path: path.join(root, 'build', 'Release', 'limen.node'), source: 'local build' };
  const folder = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.node')) : [];
  const prebuilds = (files.length > 0 ? files.sort() : ['limen.glibc.node']).map((file): AddonCandidate => ({
    path: path.join(folder, file),
    source: 'prebuild',
  }));
  return [local, ...prebuilds];
}

/** Loads the binary into this process. Throws what the dynamic loader says; a broken binary may end the process. */
export function requireAddon(file: string): NativeBinding {
  const addon = createRequire(import.meta.url)(file) as Addon;
  addon.setErrorFactory(createNativeError);
  return addon;
}
