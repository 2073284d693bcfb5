// Reads the imports of TypeScript and JavaScript files and finds cycles among them. Type-only imports count: a cycle of
// types is still two files that cannot be read apart.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/**
 * @param {string} root
 * @param {string} file relative to `root`
 * @returns {string[]} specifiers as written, in order, static and dynamic
 */
export function readImports(root, file) {
  const source = readFileSync(join(root, file), 'utf8');
  return ts.preProcessFile(source, true, true).importedFiles.map((entry) => entry.fileName);
}

/**
 * The file that a relative import means, or undefined when there is none.
 * @param {string} root
 * @param {string} from relative to `root`
 * @param {string} specifier starts with `.`
 * @returns {string | undefined} relative to `root`
 */
export function resolveRelativeImport(root, from, specifier) {
  const target = normalize(join(dirname(from), specifier)).replaceAll('\\', '/');
  const candidates = [target, target.replace(/\.js$/, '.ts'), target.replace(/\.js$/, '.tsx'), `${target}/index.ts`];
  return candidates.find((candidate) => /\.\w+$/.test(candidate) && existsSync(join(root, candidate)));
}

/**
 * @param {Map<string, string[]>} graph file → files it imports
 * @returns {string[][]} one path per cycle found, first file repeated at the end
 */
export function findCycles(graph) {
  /** @type {string[][]} */
  const cycles = [];
  /** @type {Map<string, 'open' | 'closed'>} */
  const states = new Map();
  /** @type {string[]} */
  const path = [];
  /** @param {string} file */
  const visit = (file) => {
    states.set(file, 'open');
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      if (states.get(next) === 'open') cycles.push([...path.slice(path.indexOf(next)), next]);
      else if (!states.has(next)) visit(next);
    }
    path.pop();
    states.set(file, 'closed');
  };
  for (const file of graph.keys()) if (!states.has(file)) visit(file);
  return cycles;
}
