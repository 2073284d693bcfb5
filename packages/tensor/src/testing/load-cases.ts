// Finds the cases of a package's ops by their file names, so that there is no list to keep.

import { readdirSync } from 'node:fs';

import type { OpCases } from './op-cases.js';

/** Cases of one op and the stem of their file. */
export interface LoadedCases {
  readonly stem: string;
  readonly cases: OpCases;
}

/** Imports every `*.cases.ts` (or built `*.cases.js`) of a folder, in order of name. */
export async function loadCases(folder: URL): Promise<LoadedCases[]> {
  const files = readdirSync(folder).filter((file) => /\.cases\.(ts|js)$/.test(file));
  return Promise.all(
    files.sort().map(async (file) => {
      const module = (await import(new URL(file, folder).href)) as { default: OpCases };
      return { stem: file.replace(/\.cases\.(ts|js)$/, ''), cases: module.default };
    }),
  );
}
