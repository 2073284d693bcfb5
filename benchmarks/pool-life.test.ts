// The picture in the docs shows what the accounting does today.

import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { drawPoolHistory } from './lib/pool-picture.js';
import { playPoolStory } from './lib/pool-story.js';

describe('docs/assets/pool-life.svg', () => {
  const history = playPoolStory();
  const pagesOf = (step: number, name: string) =>
    history.frames[step]?.pages.flatMap(({ holders }, page) => (holders.includes(name) ? [page] : [])) ?? [];
  const stepOf = (text: RegExp) => history.events.find(({ title }) => text.test(title))?.step ?? NaN;

  it('is what benchmarks/pool-life.ts draws', () => {
    const drawn = readFileSync(new URL('../docs/assets/pool-life.svg', import.meta.url), 'utf8');
    expect(drawn, 'run node --import tsx --conditions=limen-source benchmarks/pool-life.ts').toBe(
      drawPoolHistory(history),
    );
  });

  it('tells what happens: a fork shares, a write copies, a known beginning is found', () => {
    const fork = stepOf(/^b forks/);
    expect(pagesOf(fork, 'b')).toEqual(pagesOf(fork, 'a'));
    const shared = pagesOf(fork + 1, 'b').filter((page) => pagesOf(fork + 1, 'a').includes(page));
    expect(shared).toHaveLength(pagesOf(fork, 'b').length - 1);
    const again = stepOf(/^d begins/);
    const cached = history.frames[again - 1]?.pages.flatMap((state, page) => (state.cached ? [page] : [])) ?? [];
    expect(pagesOf(again, 'd').filter((page) => cached.includes(page))).toHaveLength(6);
  });

  it('tells what happens: cached pages give way, a swap empties the pool, a window stops growing', () => {
    const cachedAt = (step: number) => history.frames[step]?.pages.filter(({ cached }) => cached).length ?? NaN;
    const large = stepOf(/^e needs/);
    expect(cachedAt(large)).toBeLessThan(cachedAt(large - 1));
    const away = stepOf(/^a moves/);
    expect(pagesOf(away, 'a')).toEqual([]);
    expect(history.frames[away]?.host).toHaveLength(pagesOf(away - 1, 'a').length);
    const last = history.frames.length - 1;
    expect(Math.max(...[20, 10, 0].map((before) => pagesOf(last - before, 'f').length))).toBeLessThanOrEqual(5);
  });
});
