// The part of a sequence that sliding-window attention reads, and what has been given back outside it. Pure.

import { requireCount } from './argument-checks.js';

/** A sliding window: each query reads the last `window` tokens, itself included, and the first `sinks` ones. */
export interface Window {
  /** In tokens; at least 1. */
  readonly window: number;
  /** In tokens; default 0. Models keep attending to the first few tokens whatever they are. */
  readonly sinks?: number;
}

/** Indexes of pages given back: all within `[first, end)`. */
export interface ReleasedPages {
  readonly first: number;
  readonly end: number;
  /** Window in tokens that moved `end` where it is. */
  readonly tokens: number;
  /** What the last release covered: not one page of `[first, end)` is held. */
  readonly covered: { readonly first: number; readonly end: number };
}

/** Before the first release. */
export const nothingReleased: ReleasedPages = Object.freeze({
  first: Infinity,
  end: 0,
  tokens: 1,
  covered: Object.freeze({ first: Infinity, end: 0 }),
});

/** @throws {InvalidArgumentError} a size is out of range */
export function requireWindow({ window, sinks = 0 }: Window, caller: string): { tokens: number; sinks: number } {
  requireCount(caller, 'window', window, 1);
  requireCount(caller, 'sinks', sinks);
  return { tokens: window, sinks };
}

/** Where a release that begins at `first` must really begin, so that a window that moves on does not look back. */
export function unreleasedFrom({ covered }: ReleasedPages, first: number): number {
  return covered.first <= first ? Math.max(first, covered.end) : first;
}

/** The record after a release of `[first, end)`, which may be empty. */
export function widenReleased(
  before: ReleasedPages,
  { first, end, tokens }: { readonly first: number; readonly end: number; readonly tokens: number },
): ReleasedPages {
  if (end <= first) return before;
  return {
    first: Math.min(first, before.first),
    end: Math.max(end, before.end),
    tokens: end > before.end ? tokens : before.tokens,
    covered: { first, end: before.covered.first <= first ? Math.max(end, before.covered.end) : end },
  };
}

/** Shortest length beyond the released pages at which the next query finds its whole window. */
export function shortestAfter({ end, tokens }: ReleasedPages, pageSize: number): number {
  return end * pageSize + tokens - 1;
}
