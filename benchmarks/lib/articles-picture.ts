// The articles' tables as pictures: latency by batch and length, both ways; and the memory of a mix of lengths.

import { type BarGroup, type BarsPicture, escape, style } from './bars-picture.js';
import type { Results } from './report.js';

const latencyId = /^articles-latency\/([\w.-]+)\/(\w+)\/b(\d+)\/c(\d+)\/(eager|captured)$/;

/** A group for each length, two bars for each batch: the shorter the faster. */
export function latencyPicture({ measurements, device, driver, date, commit }: Results): BarsPicture {
  const groups = new Map<string, { title: string; bars: BarGroup['bars'][number][] }>();
  let model = '';
  for (const { id, mean = NaN, deviation = 0 } of measurements) {
    const [, name = '', format = '', batch = '', length = '', way] = latencyId.exec(id) ?? [];
    if (name === '') continue;
    model = `${name}, ${format}`;
    const group = groups.get(length) ?? { title: `${length} tokens in the cache`, bars: [] };
    groups.set(length, group);
    group.bars.push({
      label: `batch ${batch}, ${way === 'eager' ? 'op by op' : 'captured'}`,
      figure: `${mean.toFixed(2)} ± ${deviation.toFixed(2)} ms, ${Math.round((1000 * Number(batch)) / mean).toLocaleString('en')} tok/s`,
      length: mean,
      deviation,
      kind: way === 'eager' ? 'eager' : 'ours',
    });
  }
  return {
    groups: [...groups.values()],
    notes: [
      'Milliseconds of one decode step that is waited for, mean ± standard deviation; shorter is faster.',
      `${model}, random weights; ${device}, driver ${driver}, ${date}, commit ${commit}.`,
    ],
  };
}

const width = 760;
const left = 52;
const top = 14;
const height = 200;
const pageSize = 16;

/**
 * Every sequence of a mix as a column: its outline is what a contiguous cache reserves, the filled part the pages it holds.
 *
 * @param lengths - tokens of each sequence
 * @param longest - tokens that a contiguous cache reserves for each
 * @param tokenBytes - bytes of a token's keys and values
 */
export function drawMemoryMix(lengths: readonly number[], longest: number, tokenBytes: number): string {
  const column = (width - left - 12) / lengths.length;
  const scale = height / longest;
  const bottom = top + height;
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const held = lengths.map((length) => Math.ceil(length / pageSize) * pageSize);
  const gigabytes = (slots: number) => `${((slots * tokenBytes) / 1e9).toFixed(1)} GB`;
  const reserved = gigabytes(lengths.length * longest);
  const pages = gigabytes(sum(held));
  const unused = ((1 - sum(lengths) / sum(held)) * 100).toFixed(1);
  const text =
    `${lengths.length} sequences: ${reserved} when each reserves ${longest.toLocaleString('en')} tokens, ` +
    `${pages} in pages of ${pageSize}.`;
  const legend = `Outline: reserved by a contiguous cache. Filled: pages in use, ${unused} % of their slots without a token.`;
  const columns = held.map((slots, index) => {
    const x = round(left + index * column);
    const bar = round(slots * scale);
    const wide = round(column - 2);
    return (
      `<rect x="${x}" y="${top}" width="${wide}" height="${height}" class="outline"/>` +
      `<rect x="${x}" y="${round(bottom - bar)}" width="${wide}" height="${bar}" class="ours"/>`
    );
  });
  const labels = [0, longest / 2, longest].map(
    (tokens) =>
      `<text x="${left - 6}" y="${round(bottom - tokens * scale + 4)}" class="end">${tokens.toLocaleString('en')}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 44}" role="img" aria-label="${escape(text)}">`,
    style,
    ...columns,
    ...labels,
    `<text x="${left}" y="${bottom + 18}" class="strong">${escape(text)}</text>`,
    `<text x="${left}" y="${bottom + 36}">${escape(legend)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

const round = (value: number) => Math.round(value * 10) / 10;
