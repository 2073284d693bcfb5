// Module hooks: a `.ts` file is answered with the JavaScript that was compiled from it when the bundle was made and lies
// at the same path below compiled/; an import of `x.js` finds `x.ts` where there is no `x.js`.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const sourceRoot = new URL('../../', import.meta.url).href;
const compiledRoot = new URL('../../../compiled/', import.meta.url).href;

/** @type {import('node:module').ResolveHook} */
export function resolve(specifier, context, nextResolve) {
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.startsWith(sourceRoot)) {
    const typescript = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(fileURLToPath(typescript))) return { url: typescript.href, format: 'module', shortCircuit: true };
  }
  return nextResolve(specifier, context);
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  const [file = url] = url.split('?');
  if (!file.startsWith(sourceRoot) || !file.endsWith('.ts')) return nextLoad(url, context);
  const compiled = new URL(file.slice(sourceRoot.length), compiledRoot);
  return { format: 'module', source: await readFile(fileURLToPath(compiled), 'utf8'), shortCircuit: true };
}
