import { LimenError } from '@limen/tensor';

/** A tensor whose stored shape is not the one its configuration implies. */
export interface WrongShape {
  readonly name: string;
  readonly expected: readonly number[];
  readonly got: readonly number[];
}

/** Everything in which a checkpoint differs from its configuration. */
export interface CheckpointProblems {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly wrongShape: readonly WrongShape[];
}

const shownPerKind = 12;

/** A checkpoint that does not fit its configuration; `details` holds all differences, the text the first of each kind. */
export class CheckpointMismatchError extends LimenError {
  constructor(where: string, problems: CheckpointProblems) {
    const { missing, unexpected, wrongShape } = problems;
    const shapes = wrongShape.map(({ name, expected, got }) => `${name}: expected [${expected}], got [${got}]`);
    const lists = [
      section('missing', missing),
      section('unexpected', unexpected),
      section('of the wrong shape', shapes),
    ];
    super(
      'CHECKPOINT_MISMATCH',
      `${where}: checkpoint does not fit its configuration. Are config.json and the weights of one model?\n${lists.join('')}`.trimEnd(),
      { ...problems },
    );
  }
}

function section(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  const rest = lines.length > shownPerKind ? `\n    and ${lines.length - shownPerKind} more` : '';
  return `  ${lines.length} ${title}:\n    ${lines.slice(0, shownPerKind).join('\n    ')}${rest}\n`;
}
