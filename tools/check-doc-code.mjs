// Checks the code in the pages: every `ts` block that imports something is compiled as if it were a file beside its page,
// so that a README never shows a name or an option that does not exist.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { reportWhenStarted } from './lib/report-violations.mjs';
import { listFiles } from './lib/repository.mjs';

/**
 * @typedef {object} CodeBlock
 * @property {string} page
 * @property {number} line of the page, where the code starts; counted from 1
 * @property {string} code
 */

/**
 * @param {string} page
 * @param {string} text
 * @returns {CodeBlock[]}
 */
export function readCodeBlocks(page, text) {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)]
    .map((match) => ({ page, line: text.slice(0, match.index).split('\n').length + 1, code: match[1] ?? '' }))
    .filter(({ code }) => /^import /m.test(code));
}

/** @param {string} root */
function readPages(root) {
  const pages = listFiles(root).filter(
    (file) => file.endsWith('.md') && !/^(docs\/api|fixtures|\.changeset)\//.test(file),
  );
  return pages.flatMap((page) => readCodeBlocks(page, readFileSync(join(root, page), 'utf8')));
}

/**
 * @param {string} root
 * @returns {string[]} one text per problem, with page and line
 */
export function checkDocCode(root) {
  const config = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile).config;
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  // Pages outside packages speak to users of all packages, as examples do.
  const blocks = new Map(
    readPages(root).map((block, index) => {
      const folder = block.page.startsWith('packages/') ? dirname(block.page) : 'examples';
      return [join(root, folder, `page-block-${index}.ts`), block];
    }),
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => blocks.has(file) || fileExists(file);
  host.readFile = (file) => blocks.get(file)?.code ?? readFile(file);
  host.getSourceFile = (file, languageVersion, ...rest) => {
    const block = blocks.get(file);
    if (block === undefined) return getSourceFile(file, languageVersion, ...rest);
    return ts.createSourceFile(file, block.code, languageVersion, true);
  };
  const program = ts.createProgram([...blocks.keys()], options, host);
  return [...blocks].flatMap(([file, { page, line }]) => {
    const source = program.getSourceFile(file);
    const problems = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return problems.map(({ start = 0, messageText }) => {
      const at = source === undefined ? 0 : source.getLineAndCharacterOfPosition(start).line;
      return `${page}:${line + at}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}

reportWhenStarted(import.meta.url, 'code in the pages compiles', checkDocCode);
