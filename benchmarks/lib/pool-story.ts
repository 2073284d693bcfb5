// A short life of a page pool, played on the real accounting: every event of the docs page happens once.

import { PagePool, PrefixChain, PrefixIndex, SequencePages } from '@limen/kv-cache';

import type { PageState, PoolEvent, PoolFrame, PoolHistory } from './pool-picture.js';

const pageSize = 16;
const pages = 26;
const hostPages = 13;
/** Tokens that every running sequence gains in one step of the picture. */
const tokensPerStep = 2;
const steps = 132;

/** Token ids of a prompt; prompts of one `topic` begin alike. */
function prompt(topic: number, tokens: number): Int32Array {
  return Int32Array.from({ length: tokens }, (_, index) => 1000 * topic + index);
}

/** Plays the story and keeps a frame for each step. */
export function playPoolStory(): PoolHistory {
  const pool = new PagePool({ pages, pageSize });
  const index = new PrefixIndex(pool);
  const running = new Map<string, SequencePages>();
  /** Tokens in host memory. */
  const host = new Map<string, number>();
  const filled = new Float64Array(pages);
  const events: PoolEvent[] = [];
  const frames: PoolFrame[] = [];

  const live = (name: string) => running.get(name) as SequencePages;
  const end = (name: string) => {
    live(name).release();
    running.delete(name);
  };
  /** Opens what is known of a prompt, appends the rest and publishes what is full. */
  const arrive = (name: string, tokens: Int32Array) => {
    const chain = new PrefixChain({ model: 'any' }, { tokens });
    const sequence = index.open(chain);
    sequence.append(tokens.length - sequence.length);
    index.publish(sequence, chain);
    running.set(name, sequence);
  };
  /** What happens at a step, and what the legend says about it. */
  const story: Record<number, readonly [title: string, act: () => void]> = {
    0: ['a arrives and grows, a page at a time', () => running.set('a', SequencePages.allocate(pool, 40))],
    12: ['b forks from a: all pages are shared, the next write copies one', () => running.set('b', live('a').fork())],
    26: ['b ends: what it shared stays with a', () => end('b')],
    32: ['c arrives, with a prompt worth remembering', () => arrive('c', prompt(1, 118))],
    44: ['c ends: the full pages of its prompt stay, cached', () => end('c')],
    54: ['d begins like c: it opens with six pages that are there', () => arrive('d', prompt(1, 102))],
    64: ['d ends; its pages are cached again', () => end('d')],
    70: ['e needs more pages than are free: the oldest cached ones go', () => arrive('e', prompt(2, 150))],
    80: [
      'a moves to host memory, to make room',
      () => {
        host.set('a', live('a').length);
        end('a');
      },
    ],
    84: [
      'f arrives; it keeps a window of 48 tokens and 16 sinks',
      () => running.set('f', SequencePages.allocate(pool, 90)),
    ],
    96: ['e ends; the full pages of its prompt are cached', () => end('e')],
    102: [
      'a comes back, into other pages, and goes on',
      () => {
        running.set('a', SequencePages.allocate(pool, host.get('a') ?? 0));
        host.delete('a');
      },
    ],
  };

  for (let step = 0; step < steps; step++) {
    const event = story[step];
    if (event !== undefined) {
      events.push({ step, title: event[0] });
      event[1]();
    } else {
      for (const sequence of running.values()) sequence.append(tokensPerStep);
      running.get('f')?.releaseOutside({ window: 48, sinks: 16 });
    }
    frames.push({ pages: statesOf(pool, running, filled), host: hostRows(host) });
  }
  return { frames, events, hostPages };
}

function hostRows(host: ReadonlyMap<string, number>): string[] {
  return [...host].flatMap(([name, tokens]) => new Array<string>(Math.ceil(tokens / pageSize)).fill(name));
}

function statesOf(pool: PagePool, running: ReadonlyMap<string, SequencePages>, filled: Float64Array): PageState[] {
  return Array.from({ length: pool.total }, (_, page) => {
    const holders = [...running].filter(([, sequence]) => sequence.pages.includes(page)).map(([name]) => name);
    for (const name of holders) {
      const { pages: held, length } = running.get(name) as SequencePages;
      filled[page] = Math.min(1, Math.max(0, length / pageSize - held.indexOf(page)));
    }
    return { holders, cached: pool.state(page) === 'cached', filled: filled[page] ?? 0 };
  });
}
