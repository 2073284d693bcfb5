// Writes the results table of README.md from the newest files of benchmarks/results.
//
//   node tools/results-table.mjs           rewrites what stands between the two markers
//   node tools/results-table.mjs --check   exit 1 when README.md says something else than the files

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { repositoryRoot } from './lib/repository.mjs';

const begin = '<!-- results: written by tools/results-table.mjs -->';
const end = '<!-- end of results -->';
const folder = join(repositoryRoot, 'benchmarks', 'results');
const readmePath = join(repositoryRoot, 'README.md');

/** @typedef {{ name: string, median: number }} Rival */
/** @typedef {{ id: string, unit: string, median: number, floor: number | null, rivals: Rival[] }} Measurement */
/** @typedef {{ device: string, driver: string, commit: string, date: string, measurements: Measurement[] }} Results */

/** Units in which more is better; in all others less is. */
const rates = new Set(['tok/s', 'TB/s', 'GB/s', 'share', 'sequences']);

/** @typedef {[RegExp, (m: string[]) => string][]} Rows what ids mean, and in which order they stand */

/** @type {Rows} */
const modelRows = [
  [
    /^decode\/(.+)\/(\w+)\/b(\d+)\/c(\d+)$/,
    (/** @type {string[]} */ m) => `decode ${m[2]}, batch ${m[3]}, context ${m[4]}`,
  ],
  [
    /^prefill\/(.+)\/(\w+)\/b1\/t(\d+)i1$/,
    (/** @type {string[]} */ m) => `prompt of ${m[3]} tokens with one picture, to the first token`,
  ],
  [
    /^prefill\/(.+)\/(\w+)\/b(\d+)\/t(1\d{3})i0$/,
    (/** @type {string[]} */ m) => `${m[3]} prompts of ${m[4]} tokens, to the first token of each`,
  ],
  [/^draw\/(.+)\/(\w+)\/n(\d+)$/, (/** @type {string[]} */ m) => `drawing, ${m[2]}, ${m[3]} at once, to pixels`],
];

/** Rows that stand only beside a rival. @type {Rows} */
const cacheRows = [
  [
    /^kv-attention-time\/([\w.-]+)\/(\w+)\/b(\d+)\/c(\d+)(?:\/hnd)?$/,
    (/** @type {string[]} */ m) =>
      `decode attention of a layer of ${m[1]}, ${m[2]} pages, ${m[3]} sequences of ${m[4]} tokens`,
  ],
  [
    /^kv-transform-rate\/([\w-]+)\/(\w+)\/([\w.-]+)$/,
    (/** @type {string[]} */ m) => `${m[1]?.replaceAll('-', ' ')}, ${m[2]}, heads of ${m[3]}`,
  ],
  [
    /^kv-requests-running\/n(\d+)$/,
    (/** @type {string[]} */ m) => `sequences that run at once, of ${Number(m[1]).toLocaleString('en')} requests`,
  ],
];

/** @type {Rows} */
const startRows = [
  [
    /^start\/([\w.-]+)\/(bf16|f16|f32)$/,
    (/** @type {string[]} */ m) => `from starting Node to the first token, ${m[2]}, weights in the page cache`,
  ],
];

/** @param {number} value */
const figure = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** @param {Results} results @param {string} file @param {Rows} rows @param {string} what */
function tableOf(results, file, rows, what) {
  const lines = ['| measure | Limen | best rival in the same run | ratio |', '| --- | --- | --- | --- |'];
  for (const [pattern, describe] of rows) {
    for (const { id, unit, median, rivals } of results.measurements) {
      const match = pattern.exec(id);
      if (match === null || (rivals.length === 0 && rows === cacheRows)) continue;
      if (rivals.length === 0) {
        lines.push(`| ${describe([...match])} | ${figure(median)} ${unit} | – | – |`);
        continue;
      }
      const higherIsBetter = rates.has(unit);
      const best = rivals.reduce((a, b) => (higherIsBetter === b.median > a.median ? b : a));
      const ratio = higherIsBetter ? median / best.median : best.median / median;
      lines.push(
        `| ${describe([...match])} | ${figure(median)} ${unit} | ${figure(best.median)} ${unit}, ${best.name} | ${ratio.toFixed(2)}× |`,
      );
    }
  }
  const where = `${results.device}, driver ${results.driver}, ${results.date}, commit ${results.commit}`;
  return `${where}; ${what} ([all figures](benchmarks/results/${file})).\n\n${lines.join('\n')}`;
}

/** The newest results file whose name matches, as a table. @param {RegExp} name @param {Rows} rows @param {string} what */
function newestTable(name, rows, what) {
  const newest = readdirSync(folder)
    .filter((file) => name.test(file))
    .sort()
    .at(-1);
  if (newest === undefined) return [];
  return [tableOf(JSON.parse(readFileSync(join(folder, newest), 'utf8')), newest, rows, what)];
}

const table = [
  ...newestTable(/janus-pro-7b.*\.json$/, modelRows, 'Janus-Pro-7B shapes with random weights'),
  ...newestTable(/-start\.json$/, startRows, 'Janus-Pro-7B shapes with random weights, 14.8 GB of safetensors'),
  ...newestTable(/-kv\.json$/, cacheRows, 'keys and values in pages'),
].join('\n\n');
if (table === '') process.exit(0);
const readme = readFileSync(readmePath, 'utf8');
const [before = '', rest = ''] = readme.split(begin);
const after = rest.split(end)[1] ?? '';
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
/** Cells as text, so that a formatter may pad them. @param {string} text */
const compact = (text) => text.replaceAll(/[ -]+/g, ' ').trim();
if (values.check) {
  if (compact(rest.split(end)[0] ?? '') !== compact(table)) {
    console.error(
      'README.md: the results differ from the newest files of benchmarks/results: run node tools/results-table.mjs',
    );
    process.exitCode = 1;
  } else console.log('ok: README.md shows the newest results');
} else writeFileSync(readmePath, `${before}${begin}\n\n${table}\n\n${end}${after}`);
