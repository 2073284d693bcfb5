// Checks who may import whom: the table of package edges, no deep imports, no cycles between files, no Node headers
// in kernels. `node tools/check-boundaries.mjs` prints every violation and exits 1 when there is one.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCycles, readImports, resolveRelativeImport } from './lib/import-graph.mjs';
import { reportWhenStarted } from './lib/report-violations.mjs';
import { listFiles, listPackages } from './lib/repository.mjs';

/**
 * Package → packages it may import. Models are absent from graph-runtime's row and the other way round on purpose:
 * capture wraps a model's step from outside (docs/decisions/0003-capture-outside-models.md).
 * @type {Record<string, string[]>}
 */
export const allowedEdges = {
  'cuda-kernels': [],
  tensor: ['cuda-kernels'],
  quant: ['tensor'],
  'kv-cache': ['tensor'],
  'graph-runtime': ['tensor', 'cuda-kernels'],
  'models-janus': ['tensor', 'quant', 'kv-cache'],
  'janus-tiny': ['tensor', 'models-janus'],
  serve: ['janus-tiny', 'models-janus', 'graph-runtime', 'kv-cache', 'quant', 'tensor', 'cuda-kernels'],
};

const sourceFile = /\.(ts|tsx|mjs|js)$/;
const nodeHeader =
  /^\s*#\s*include\s*[<"]((?:napi|node_api|js_native_api|node|v8|uv)[\w.-]*\.h|(?:\.\.\/)*napi\/[^>"]+)[>"]/gm;

/**
 * @param {string} root
 * @returns {string[]} one text per violation
 */
export function checkBoundaries(root) {
  return [...checkPackageImports(root), ...checkManifests(root), ...checkCycles(root), ...checkNativeHeaders(root)];
}

/** @param {string} root @param {string} name */
function readManifest(root, name) {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
}

/**
 * Every import of one of our packages: allowed by the table, and through a public entry point.
 * @param {string} root
 * @returns {string[]}
 */
function checkPackageImports(root) {
  const packages = listPackages(root);
  const entryPoints = new Map(packages.map((name) => [name, Object.keys(readManifest(root, name).exports ?? {})]));
  /** @type {string[]} */
  const violations = [];
  for (const folder of ['packages', 'examples', 'benchmarks', 'tools']) {
    for (const file of listFiles(root, folder).filter((path) => sourceFile.test(path))) {
      const owner = folder === 'packages' ? file.split('/')[1] : undefined;
      for (const specifier of readImports(root, file)) {
        if (specifier.startsWith('.')) violations.push(...checkRelativeImport(root, file, specifier, owner));
        const [, name, rest] = /^@limen\/([\w-]+)(\/.*)?$/.exec(specifier) ?? [];
        if (name === undefined) continue;
        if (!packages.includes(name)) {
          // A data package may be installed from elsewhere; an unknown name fails when it is resolved.
          continue;
        }
        if (owner !== undefined && owner !== name && allowedEdges[owner]?.includes(name) === false) {
          violations.push(
            `${file}: ${owner} may not import @limen/${name}: allowed are [${allowedEdges[owner]?.join(', ')}]`,
          );
        }
        if (owner === name) violations.push(`${file}: imports its own package by name; use a relative path`);
        if (rest !== undefined && !entryPoints.get(name)?.includes(`.${rest}`)) {
          violations.push(`${file}: deep import ${specifier}: not an entry point of @limen/${name}`);
        }
      }
    }
  }
  return violations;
}

/**
 * @param {string} root
 * @param {string} file
 * @param {string} specifier
 * @param {string | undefined} owner package that holds the file
 * @returns {string[]}
 */
function checkRelativeImport(root, file, specifier, owner) {
  const target = resolveRelativeImport(root, file, specifier);
  const targetOwner = target === undefined ? undefined : /^packages\/([\w-]+)\/(?:src|test)\//.exec(target)?.[1];
  if (targetOwner === undefined || targetOwner === owner) return [];
  return [`${file}: reaches into packages/${targetOwner} by path; import @limen/${targetOwner}`];
}

/**
 * Dependencies in package.json follow the same table, and an unknown package must be added to it.
 * @param {string} root
 * @returns {string[]}
 */
function checkManifests(root) {
  /** @type {string[]} */
  const violations = [];
  for (const name of listPackages(root)) {
    const manifest = readManifest(root, name);
    const used = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.devDependencies });
    const edges = used.filter((key) => key.startsWith('@limen/')).map((key) => key.slice('@limen/'.length));
    const allowed = allowedEdges[name];
    if (allowed === undefined) {
      if (edges.length > 0) violations.push(`packages/${name}: has dependencies but no row in the table of edges`);
      continue;
    }
    for (const edge of edges.filter((key) => key in allowedEdges && !allowed.includes(key))) {
      violations.push(`packages/${name}/package.json: ${name} may not depend on @limen/${edge}`);
    }
  }
  return violations;
}

/** @param {string} root */
function checkCycles(root) {
  /** @type {Map<string, string[]>} */
  const graph = new Map();
  for (const file of listFiles(root, 'packages').filter((path) => sourceFile.test(path))) {
    const targets = readImports(root, file)
      .filter((specifier) => specifier.startsWith('.'))
      .map((specifier) => resolveRelativeImport(root, file, specifier));
    graph.set(
      file,
      targets.filter((target) => target !== undefined),
    );
  }
  return findCycles(graph).map((cycle) => `import cycle: ${cycle.join(' → ')}`);
}

/**
 * Kernels, device code and core know pointers and sizes, not Node.
 * @param {string} root
 * @returns {string[]}
 */
function checkNativeHeaders(root) {
  const native = 'packages/cuda-kernels/native';
  const folders = ['kernels', 'device', 'cpu', 'core'].map((folder) => `${native}/${folder}`);
  return folders
    .flatMap((folder) => listFiles(root, folder))
    .flatMap((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(nodeHeader)].map(
        (match) => `${file}: includes ${match[1]}; kernels, device code and core never see Node`,
      ),
    );
}

reportWhenStarted(
  import.meta.url,
  'imports follow the table of packages, without cycles or deep imports',
  checkBoundaries,
);
