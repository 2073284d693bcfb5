// Checks the shape of the repository: what every package holds, the three files of every op, file names in the main
// pages, the length of examples, the weight of what is tracked. `node tools/check-structure.mjs` prints the violations.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findOpFiles } from './lib/op-files.mjs';
import { reportWhenStarted } from './lib/report-violations.mjs';
import { listFiles, listPackages, listTrackedFiles } from './lib/repository.mjs';

const mostTrackedBytes = 28 * 1024 * 1024;
const mostExampleLines = 40;
const mainPages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'];
const textFile = /\.(ts|tsx|mjs|js|cjs|json|ya?ml|md|cu|cuh|cc|h|txt|sh|py|html|css)$|\/(run|[A-Z]\w+)$/;

/**
 * @param {string} root
 * @returns {string[]} one text per violation
 */
export function checkStructure(root) {
  return [
    ...checkPackages(root),
    ...checkOps(root),
    ...checkNamedFiles(root),
    ...checkExamples(root),
    ...checkTrackedFiles(root),
    ...checkVariables(root),
  ];
}

/** @param {string} root @returns {string[]} */
function checkPackages(root) {
  return listPackages(root).flatMap((name) => {
    const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
    // A data package ships files and has nothing to build.
    const expected =
      manifest.scripts?.build === undefined
        ? ['README.md']
        : ['README.md', 'tsup.config.ts', 'tsconfig.json', 'src/index.ts'];
    return expected
      .filter((file) => !existsSync(join(root, 'packages', name, file)))
      .map((file) => `packages/${name}: ${file} is missing`);
  });
}

/** @param {string} root @returns {string[]} */
function checkOps(root) {
  const { declarations, cases, kernels, cpuKernels } = findOpFiles(root);
  const declared = new Set(declarations.map(({ stem }) => stem));
  const withCases = new Set(cases.map(({ stem }) => stem));
  const withKernel = new Set(kernels.map(({ stem }) => stem));
  /** @type {string[]} */
  const violations = [];
  for (const { stem, file, kernel } of declarations) {
    const snake = stem.replaceAll('-', '_');
    if (!withCases.has(stem)) violations.push(`${file}: no ${stem}.cases.ts beside it`);
    if (!withKernel.has(stem)) violations.push(`${file}: no packages/cuda-kernels/native/kernels/${snake}.cu`);
    if (kernel !== snake) violations.push(`${file}: kernel is '${kernel ?? ''}'; the file name asks for '${snake}'`);
  }
  for (const { stem, file } of cases) if (!declared.has(stem)) violations.push(`${file}: no op ${stem}.ts beside it`);
  for (const { stem, file } of [...kernels, ...cpuKernels]) {
    if (!declared.has(stem)) violations.push(`${file}: no op file ${stem}.ts in any package's src/ops`);
  }
  return violations;
}

/**
 * Paths in backquotes and relative links of the main pages and of docs/ must exist.
 * @param {string} root
 * @returns {string[]}
 */
function checkNamedFiles(root) {
  const pages = [
    ...mainPages.filter((page) => existsSync(join(root, page))),
    ...listPackages(root).map((name) => `packages/${name}/README.md`),
    ...listFiles(root, 'docs').filter((file) => file.endsWith('.md') && !file.startsWith('docs/api/')),
  ].filter((page) => existsSync(join(root, page)));
  const allFiles = listFiles(root);
  return pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
    const folder = page.includes('/') ? page.slice(0, page.lastIndexOf('/')) : '.';
    const links = [...text.matchAll(/\]\((?!\w+:|#)([^)\s#]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(join(root, folder, link)))
      .map((link) => `${page}: links to ${link}, which does not exist`);
    const names = [...text.matchAll(/`([\w./-]+\.(?:ts|mjs|cu|cuh|cc|h|md|json|yaml))`/g)]
      .map((match) => match[1] ?? '')
      .filter((name) => mainPages.includes(page) && !isKnownFile(name, root, allFiles))
      .map((name) => `${page}: names ${name}, which does not exist`);
    return [...links, ...names];
  });
}

/** @param {string} name @param {string} root @param {string[]} allFiles */
function isKnownFile(name, root, allFiles) {
  return existsSync(join(root, name)) || allFiles.some((file) => file.endsWith(`/${name}`));
}

/** @param {string} root @returns {string[]} */
function checkExamples(root) {
  return listFiles(root, 'examples')
    .filter((file) => /\/\d\d-[\w-]+\.ts$/.test(file))
    .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > mostExampleLines)
    .map(({ file, lines }) => `${file}: ${lines} lines; an example has at most ${mostExampleLines}`);
}

/**
 * Environment variables of ours that code reads are on docs/env-vars.md, and the page lists no other.
 * @param {string} root
 * @returns {string[]}
 */
function checkVariables(root) {
  const page = 'docs/env-vars.md';
  if (!existsSync(join(root, page))) return [];
  const documented = new Set(readFileSync(join(root, page), 'utf8').match(/\bLIMEN_[A-Z_]+\b/g));
  /** @type {Map<string, string>} */
  const used = new Map();
  for (const file of ['packages', 'tools', 'benchmarks', '.ci'].flatMap((folder) => listFiles(root, folder))) {
    const isNative = /\.(cc|h|cu|cuh)$/.test(file);
    if (!(isNative || /\.(ts|mjs|sh)$/.test(file)) || /\.test\.ts$/.test(file)) continue;
    const pattern = isNative ? /"(LIMEN_[A-Z_]+)"/g : /\b(?<!CD)(LIMEN_[A-Z_]+)\b/g;
    for (const [, name] of readFileSync(join(root, file), 'utf8').matchAll(pattern)) {
      if (name !== undefined && !used.has(name)) used.set(name, file);
    }
  }
  return [
    ...[...used]
      .filter(([name]) => !documented.has(name))
      .map(([name, file]) => `${file}: reads ${name}, not on ${page}`),
    ...[...documented].filter((name) => !used.has(name)).map((name) => `${page}: lists ${name}, which nothing reads`),
  ];
}

/** Paths of one machine, written so that this line is not one. */
const machinePath = /(?:^|[\s"'`(=:,])(\/(?:home|Users)\/\w[\w.-]*\/|\/root\/|\/work\/|\/tmp\/limen)/m;

/** @param {string} root @returns {string[]} */
function checkTrackedFiles(root) {
  /** @type {string[]} */
  const violations = [];
  let bytes = 0;
  for (const file of listTrackedFiles(root)) {
    const size = statSync(join(root, file)).size;
    bytes += size;
    if (/(^|\/)(utils|helpers)\.\w+$/.test(file)) violations.push(`${file}: name it after what it holds`);
    if (size > 2 * 1024 * 1024 || !textFile.test(file)) continue;
    const text = readFileSync(join(root, file), 'utf8');
    const found = machinePath.exec(text)?.[1];
    if (found !== undefined) violations.push(`${file}: holds the path of one machine (${found})`);
    if (file === 'pnpm-lock.yaml' && /https?:\/\//.test(text)) violations.push(`${file}: names a registry host`);
  }
  if (bytes > mostTrackedBytes) {
    violations.push(`repository: ${(bytes / 1048576).toFixed(1)} MiB of tracked files; the limit is 28 MiB`);
  }
  return violations;
}

reportWhenStarted(import.meta.url, 'packages, ops, examples and main pages have their files', checkStructure);
