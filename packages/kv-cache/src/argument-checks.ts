// The two ways an argument is refused: as a count out of range, or in words.

import { InvalidArgumentError } from '@limen/tensor';

/** What a message says: which call, which argument, what was expected, what came and what to do. */
export interface ArgumentProblem {
  readonly caller: string;
  readonly argument: string;
  readonly problem: string;
  readonly expected: string;
  readonly got: unknown;
  readonly fix: string;
}

/** An error in the common grammar, for the caller to throw. */
export function invalidArgument({
  caller,
  argument,
  problem,
  expected,
  got,
  fix,
}: ArgumentProblem): InvalidArgumentError {
  const message = `${caller}: ${argument} ${problem}: expected ${expected}, got ${String(got)}. ${fix}`;
  return new InvalidArgumentError(message, { caller, argument, expected, got });
}

/**
 * Checks that a count is a whole number in `[least, most]`.
 * @throws {InvalidArgumentError} it is not
 */
export function requireCount(caller: string, argument: string, got: number, least = 0, most = Infinity): void {
  if (Number.isSafeInteger(got) && got >= least && got <= most) return;
  const expected = most === Infinity ? `a whole number ≥ ${least}` : `a whole number in [${least}, ${most}]`;
  const fix =
    got > most ? `Ask for at most ${most}.` : 'Pass a count, not a fraction, NaN or a number below the least.';
  throw invalidArgument({ caller, argument, problem: 'is out of range', expected, got, fix });
}
