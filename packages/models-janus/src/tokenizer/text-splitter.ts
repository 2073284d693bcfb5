// Cuts text into the pieces that byte pair encoding works on, as tokenizer.json's `pre_tokenizer` says. Patterns are
// translated by @huggingface/tokenizers. Two steps of it are replaced: its Digits knows decimal digits only, where the reference takes every
// numeric character (1/2, Roman numerals); and `\s+$` as a regular expression takes quadratic time on long white space.

import * as library from '@huggingface/tokenizers';

import { TokenizerError } from '../errors/tokenizer-error.js';

/** Cuts one piece into smaller ones whose concatenation is the piece. */
type Step = (text: string) => readonly string[];

// The library turns Oniguruma patterns into JavaScript's. Its declarations do not resolve under NodeNext, hence the type.
const { SplitPreTokenizer } = library as unknown as {
  readonly SplitPreTokenizer: new (config: unknown) => { readonly pattern: RegExp | null };
};

const longestPattern = 8192;

// GPT-2's own split, used when a ByteLevel step says so.
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/**
 * Makes the function that cuts a text.
 *
 * @param config - `pre_tokenizer` of tokenizer.json: steps that end in ByteLevel
 * @throws {TokenizerError} a step is unknown, or the last is not ByteLevel
 */
export function createTextSplitter(config: unknown): Step {
  const steps = stepsOf(config);
  const last = steps.at(-1);
  if (last?.type !== 'ByteLevel') {
    notSupported(`steps are expected to end in ByteLevel, got ${String(last?.type)}`);
  }
  if (last.add_prefix_space === true) {
    notSupported('add_prefix_space is expected to be false');
  }
  const cuts = steps.slice(0, -1).map(createStep);
  if (last.use_regex !== false) cuts.push((text) => text.match(wordPattern) ?? []);
  return (text) => {
    let pieces: readonly string[] = [text];
    for (const cut of cuts) {
      const smaller: string[] = [];
      for (const piece of pieces) for (const part of cut(piece)) if (part.length > 0) smaller.push(part);
      pieces = smaller;
    }
    return pieces;
  };
}

interface StepConfig {
  readonly type?: unknown;
  readonly pattern?: { readonly Regex?: unknown; readonly String?: unknown };
  readonly behavior?: unknown;
  readonly invert?: unknown;
  readonly individual_digits?: unknown;
  readonly add_prefix_space?: unknown;
  readonly use_regex?: unknown;
  readonly pretokenizers?: unknown;
}

function stepsOf(config: unknown): readonly StepConfig[] {
  const root = (typeof config === 'object' && config !== null ? config : {}) as StepConfig;
  return root.type === 'Sequence' && Array.isArray(root.pretokenizers) ? (root.pretokenizers as StepConfig[]) : [root];
}

function createStep(config: StepConfig): Step {
  if (config.type === 'Digits') {
    const pattern = config.individual_digits === true ? /[^\p{N}]+|\p{N}/gu : /[^\p{N}]+|\p{N}+/gu;
    return (text) => text.match(pattern) ?? [];
  }
  if (config.type !== 'Split') {
    return notSupported(`steps are expected to be Split, Digits or ByteLevel, got ${String(config.type)}`);
  }
  const pattern = config.pattern?.Regex;
  if (typeof pattern === 'string' && pattern.length > longestPattern) {
    throw new TokenizerError(
      'TOKENIZER_INVALID',
      `tokenizer: pattern is too long: expected at most ${longestPattern} characters, got ${pattern.length}.`,
    );
  }
  if (String(config.behavior) !== 'Isolated' || config.invert === true) {
    notSupported(`Split is expected to isolate its matches, got ${String(config.behavior)}`);
  }
  if (pattern === '\\s+$') return cutTrailingSpace;
  let expression: RegExp | null;
  try {
    expression = new SplitPreTokenizer(config).pattern;
  } catch (error) {
    return notSupported(`pattern cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (expression === null) return notSupported('Split has no pattern');
  const compiled = expression;
  return (text) => cutAtMatches(text, compiled);
}

function notSupported(problem: string): never {
  throw new TokenizerError(
    'TOKENIZER_NOT_SUPPORTED',
    `tokenizer: pre_tokenizer: ${problem}. Janus-Pro's tokenizer has no such part.`,
  );
}

/** Isolates the matches of a global expression. */
function cutAtMatches(text: string, expression: RegExp): readonly string[] {
  const parts: string[] = [];
  let rest = 0;
  expression.lastIndex = 0;
  for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
    const found = match[0];
    // An empty match isolates nothing; step over it.
    if (found.length === 0) expression.lastIndex++;
    else {
      if (match.index > rest) parts.push(text.slice(rest, match.index));
      parts.push(found);
      rest = match.index + found.length;
    }
  }
  if (rest === 0) return [text];
  if (rest < text.length) parts.push(text.slice(rest));
  return parts;
}

/** Isolates the matches of `\s+$`, where `$` is the end of the text or of a line; linear time. */
export function cutTrailingSpace(text: string): readonly string[] {
  const parts: string[] = [];
  let rest = 0;
  for (const { 0: run, index } of text.matchAll(/\p{White_Space}+/gu)) {
    // Greedy: a run at the end of the text matches as a whole, another one up to its last line feed.
    const end = index + run.length === text.length ? text.length : index + run.lastIndexOf('\n');
    if (end <= index) continue;
    parts.push(text.slice(rest, index), text.slice(index, end));
    rest = end;
  }
  parts.push(text.slice(rest));
  return parts;
}
