// Pictures show what the newest results say.

import { readFileSync } from 'node:fs';

import { describe, expect, it, test } from 'vitest';

import { latencyPicture } from './lib/articles-picture.js';
import { drawBars } from './lib/bars-picture.js';
import { charts } from './lib/charts.js';
import type { Measurement, Results } from './lib/report.js';
import { speedPicture } from './lib/speed-picture.js';

const machine = { device: 'GPU', driver: '1', commit: 'abc', date: '2026-01-01' };
const measurement = (id: string, unit: string, median: number, more: Partial<Measurement> = {}): Measurement => ({
  id,
  unit,
  median,
  spread: 0,
  runs: 1,
  floor: null,
  rivals: [],
  ...more,
});

test.each([...charts().keys()])('docs/assets/%s is what benchmarks/charts.ts draws', (name) => {
  const there = readFileSync(new URL(`../docs/assets/${name}`, import.meta.url), 'utf8');
  expect(there, 'run node --import tsx --conditions=limen-source benchmarks/charts.ts').toBe(charts().get(name));
});

describe('bars of the README', () => {
  const own: Results = {
    ...machine,
    measurements: [
      measurement('decode/janus-pro-7b/bf16/b1/c512', 'tok/s', 300, {
        floor: 348,
        rivals: [{ name: 'transformers StaticCache + torch.compile, bf16', median: 200 }],
      }),
      measurement('decode/janus-pro-7b/int8/b1/c512', 'tok/s', 500, {
        rivals: [{ name: 'transformers generate, eager bf16', median: 20 }],
      }),
      measurement('draw/janus-pro-7b/bf16/n1', 's', 2, { floor: 1.6, rivals: [{ name: 'transformers', median: 4 }] }),
      measurement('draw/janus-pro-7b/bf16/n8', 's', 3),
    ],
  };
  const others: Results = {
    ...machine,
    measurements: [
      measurement('rival/gpt-fast/decode/janus-pro-7b/bf16/b1/c512', 'tok/s', 234),
      measurement('rival/gpt-fast/decode/janus-pro-7b/int8/b1/c512', 'tok/s', 258),
    ],
  };

  it('stand in the order of speed, times as well as rates, and only where there is a rival', () => {
    const { groups, notes } = speedPicture(own, others);
    expect(groups.map(({ bars }) => bars.map(({ label, figure }) => `${label}: ${figure}`))).toEqual([
      ['Limen: 300 tok/s', 'gpt-fast: 234 tok/s', 'transformers, compiled: 200 tok/s'],
      ['Limen: 500 tok/s', 'gpt-fast: 258 tok/s'],
      ['Limen: 2.00 s', 'transformers, eager: 4.00 s'],
    ]);
    expect(groups[2]?.bars.map(({ length }) => length)).toEqual([0.5, 0.25]);
    expect(groups[2]?.limit).toBeCloseTo(0.625);
    expect(notes.join()).toContain('gpt-fast: measured on the same kind of GPU in a run of their own');
  });

  it('show a rival once, as it was measured beside us', () => {
    const again = measurement('rival/transformers/draw/janus-pro-7b/bf16/n1', 's', 5);
    const { groups, notes } = speedPicture(own, { ...others, measurements: [...others.measurements, again] });
    expect(groups[2]?.bars.map(({ figure }) => figure)).toEqual(['2.00 s', '4.00 s']);
    expect(notes.join()).not.toContain('transformers');
  });

  it('keep figures inside the picture, and off the dotted line', () => {
    const figure = '3.72 ± 0.32 ms, 2,069 tok/s';
    const bar = (length: number) => ({ label: 'bar', figure, length, kind: 'ours' as const });
    const draw = (limit?: number) =>
      drawBars({ groups: [{ title: 'group', limit, bars: [bar(10), bar(1)] }], notes: [] });
    const places = (svg: string) =>
      [...svg.matchAll(/<text x="([\d.]+)"[^>]* class="figure([^"]*)"/g)].map(([, x, kind]) => ({
        x: Number(x),
        kind,
      }));
    const [free] = places(draw());
    expect((free?.x ?? Infinity) + figure.length * 6.5).toBeLessThan(760);
    const [long, short] = places(draw(10.5));
    expect(long?.kind).toContain('inside');
    expect(short?.kind).not.toContain('inside');
  });

  it('are drawn to scale, with text that cannot break the markup', () => {
    const svg = drawBars({
      groups: [
        {
          title: 'a < b & "c"',
          limit: 4,
          bars: [
            { label: 'one', figure: '2', length: 2, kind: 'ours' },
            { label: 'two', figure: '1', length: 1, deviation: 0.5, kind: 'other' },
          ],
        },
      ],
      notes: ['below'],
    });
    const widths = [...svg.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, value]) => Number(value));
    // 760 less 212 for labels and 15 for figures of one character are 533 for a limit of 4.
    expect(widths).toEqual([266.5, 133.3]);
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;');
    expect(svg).toContain('class="whisker"');
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg).not.toContain('NaN');
  });
});

test('the latency picture has a group for each length, both ways, with the deviation', () => {
  const id = (batch: number, length: number, way: string) =>
    `articles-latency/janus-pro-7b/bf16/b${batch}/c${length}/${way}`;
  const { groups } = latencyPicture({
    ...machine,
    measurements: [
      measurement(id(1, 64, 'eager'), 'ms', 5, { mean: 5, deviation: 0.5 }),
      measurement(id(1, 64, 'captured'), 'ms', 4, { mean: 4, deviation: 0.1 }),
      measurement(id(2, 128, 'captured'), 'ms', 4, { mean: 4, deviation: 0.1 }),
      measurement('articles-memory/janus-pro-7b/bf16/pages', 'MB', 1),
    ],
  });
  expect(groups.map(({ title, bars }) => [title, bars.map(({ figure }) => figure)])).toEqual([
    ['64 tokens in the cache', ['5.00 ± 0.50 ms, 200 tok/s', '4.00 ± 0.10 ms, 250 tok/s']],
    ['128 tokens in the cache', ['4.00 ± 0.10 ms, 500 tok/s']],
  ]);
});
