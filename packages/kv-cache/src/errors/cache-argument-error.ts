// Thrown when an argument is outside its domain: a negative count, a position past the end, an unknown dtype.

import { LimenError } from '@limen/tensor';

/** What a message says: which call, which argument, what was expected, what came and what to do. */
export interface ArgumentProblem {
  readonly caller: string;
  readonly argument: string;
  readonly problem: string;
  readonly expected: string;
  readonly got: unknown;
  readonly fix: string;
}

/** An argument is outside its domain; code `CACHE_ARGUMENT`. */
export class CacheArgumentError extends LimenError {
  constructor({ caller, argument, problem, expected, got, fix }: ArgumentProblem) {
    super('CACHE_ARGUMENT', `${caller}: ${argument} ${problem}: expected ${expected}, got ${String(got)}. ${fix}`, {
      caller,
      argument,
      expected,
      got,
    });
  }
}

/** Checks that a count is a whole number of at least `least` and at most `most`. */
export function requireCount(caller: string, argument: string, got: number, least = 0, most = Infinity): void {
  if (Number.isSafeInteger(got) && got >= least && got <= most) return;
  const expected = most === Infinity ? `a whole number ≥ ${least}` : `a whole number in [${least}, ${most}]`;
  const fix = got > most ? `Ask for at most ${most}.` : 'Pass a count, not a fraction, NaN or a negative number.';
  throw new CacheArgumentError({ caller, argument, problem: 'is out of range', expected, got, fix });
}
