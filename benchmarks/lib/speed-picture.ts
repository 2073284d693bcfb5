// The bars of the README: Limen and its rivals on the same GPU, from the results files.

import type { Bar, BarGroup, BarsPicture } from './bars-picture.js';
import { higherIsBetter, type Measurement, type Results, type Rival } from './report.js';

const groups: readonly (readonly [id: string, title: string])[] = [
  ...[1, 4, 8, 32].map(
    (batch) =>
      [
        `decode/janus-pro-7b/bf16/b${batch}/c512`,
        `Decode, bf16, ${batch === 1 ? 'one sequence' : `${batch} sequences`}`,
      ] as const,
  ),
  ['decode/janus-pro-7b/int8/b1/c512', 'Decode, int8 weights, one sequence'],
  ['draw/janus-pro-7b/bf16/n1', 'Draw one picture'],
  ['draw/janus-pro-7b/bf16/n8', 'Draw eight pictures at once'],
  ['prefill/janus-pro-7b/bf16/b1/t640i1', 'Prompt of 640 tokens with a picture, to the first token'],
  ['prefill/janus-pro-7b/bf16/b8/t1024i0', 'Eight prompts of 1,024 tokens, to the first token'],
];

/**
 * @param own - measurements with the rivals of the same run
 * @param others - rivals measured in a run of their own; ids read `rival/<name>/<id of the case>`
 */
export function speedPicture(own: Results, others?: Results): BarsPicture {
  const find = (id: string) => own.measurements.find((measurement) => measurement.id === id);
  const drawn = groups.flatMap(([id, title]): BarGroup[] => {
    const measurement = find(id);
    if (measurement === undefined) return [];
    // Where our weights are smaller, those of a rival must be as well.
    const alike = measurement.rivals.filter(({ name }) => !(id.includes('/int8/') && name.includes('bf16')));
    const rivals = [...alike, ...notAmong(alike, rivalsOf(id, others))];
    if (rivals.length === 0) return [];
    return [groupOf(title, measurement, rivals)];
  });
  const where = `${own.device}, driver ${own.driver}, ${own.date}, commit ${own.commit}; Janus-Pro-7B shapes, 512 tokens in the cache.`;
  const apart = namesOf(others, (id) => find(id)?.rivals);
  const codesOnly = drawn.some(({ bars }) => bars.some(({ label }) => label.endsWith('*')));
  return {
    groups: drawn,
    notes: [
      'Longer bars are faster. Dotted: the least time in which the memory or the tensor cores could do it.',
      where,
      ...(codesOnly ? ['* until the codes are drawn, without the pixels.'] : []),
      ...(apart === '' ? [] : [`${apart}: measured on the same kind of GPU in a run of their own.`]),
    ],
  };
}

function groupOf(title: string, { unit, median, floor }: Measurement, rivals: readonly Rival[]): BarGroup {
  const better = higherIsBetter(unit);
  const speed = (value: number) => (better ? value : 1 / value);
  const bar = (label: string, value: number, kind: Bar['kind']): Bar => ({
    label,
    figure: `${figure(value)} ${unit}`,
    length: speed(value),
    kind,
  });
  const sorted = [...rivals].sort((a, b) => speed(b.median) - speed(a.median));
  return {
    title,
    bars: [bar('Limen', median, 'ours'), ...sorted.map((rival) => bar(short(rival.name), rival.median, 'other'))],
    limit: floor === null ? undefined : speed(floor),
  };
}

const pattern = /^rival\/([^/]+)\/(.+)$/;

function rivalsOf(id: string, others: Results | undefined): Rival[] {
  return (others?.measurements ?? []).flatMap((measurement) => {
    const [, name = '', of] = pattern.exec(measurement.id) ?? [];
    return of === id ? [{ name, median: measurement.median }] : [];
  });
}

/** A rival that ran beside us is not shown a second time from a run of its own. */
function notAmong(beside: readonly Rival[], apart: readonly Rival[]): Rival[] {
  const labels = new Set(beside.map(({ name }) => short(name)));
  return apart.filter(({ name }) => !labels.has(short(name)));
}

/** Rivals shown from a run of their own; `beside` gives those that ran with a case, `undefined` where there is no such case. */
function namesOf(others: Results | undefined, beside: (id: string) => readonly Rival[] | undefined): string {
  const ids = groups.flatMap(([id]) => (beside(id) === undefined ? [] : [id]));
  const shown = ids.flatMap((id) => notAmong(beside(id) ?? [], rivalsOf(id, others)));
  return [...new Set(shown.map(({ name }) => name))].join('; ');
}

/** What a rival's name says beyond the label of a bar stands in the results file. */
const short = (name: string) =>
  name
    .replace(' generate, eager bf16', ', eager')
    .replace(/ StaticCache \+ torch\.compile(, bf16)?/, ', compiled')
    .replace(', codes only', '*')
    .replace(/^transformers$/, 'transformers, eager');

const figure = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value >= 10 ? value.toFixed(1) : value.toFixed(2);
