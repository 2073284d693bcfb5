import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { StopStrings } from './stop-strings.js';

function run(stops: readonly string[], pieces: readonly string[]): { text: string; stop?: string } {
  const matcher = new StopStrings(stops);
  let text = '';
  let stop: string | undefined;
  for (const piece of pieces) {
    const result = matcher.push(piece);
    text += result.text;
    stop ??= result.stop;
  }
  return { text: text + matcher.end(), stop };
}

describe('StopStrings', () => {
  it('finds a stop string across pieces and drops it and the rest', () => {
    expect(run(['<|User|>'], ['Hi', '<|Us', 'er|> more', ' and more'])).toEqual({ text: 'Hi', stop: '<|User|>' });
  });

  it('passes text on at once when it cannot begin a stop string, and holds it back when it can', () => {
    const matcher = new StopStrings(['END', '\n\n']);
    expect(matcher.push('a')).toEqual({ text: 'a', stopped: false });
    expect(matcher.push('bE')).toEqual({ text: 'b', stopped: false });
    expect(matcher.push('N')).toEqual({ text: '', stopped: false });
    expect(matcher.push('\n')).toEqual({ text: 'EN', stopped: false });
    expect(matcher.end()).toBe('\n');
  });

  it('takes the first stop string, and the longer of two at one place', () => {
    expect(run(['bc', 'abcd', 'a'], ['xabcd'])).toEqual({ text: 'x', stop: 'abcd' });
    expect(run(['', 'z'], ['xz'])).toEqual({ text: 'x', stop: 'z' });
    expect(run([], ['x', 'y'])).toEqual({ text: 'xy', stop: undefined });
  });

  it('gives the same text however it is cut into pieces', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 2, maxLength: 4 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(letters, stops, fc.array(fc.nat(4), { minLength: 30, maxLength: 30 }), (text, list, lengths) => {
        const pieces: string[] = [];
        for (let at = 0, cut = 0; at < text.length; cut++) pieces.push(text.slice(at, (at += lengths[cut] ?? 1)));
        const first = Math.min(...list.map((stop) => text.indexOf(stop)).filter((at) => at >= 0));
        const result = run(list, pieces);
        // A short stop string can be complete before a longer one that began earlier: then the earlier end counts.
        if (list.length <= 1) expect(result.text).toBe(text.slice(0, Number.isFinite(first) ? first : undefined));
        expect(text.startsWith(result.text)).toBe(true);
        if (!Number.isFinite(first)) expect(result.text).toBe(text);
        else expect(list).toContain(result.stop);
      }),
      { numRuns: 2000, seed: 9 },
    );
  });
});
