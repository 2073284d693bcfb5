// Thrown when a weight cannot be quantised because it is no number.

import { LimenError } from '@limen/tensor';

/** A weight is NaN or infinite; code `NOT_FINITE`. One such weight would spoil the scale of its whole group. */
export class NotFiniteError extends LimenError {
  readonly row: number;
  /** Unknown when the row was looked at as a whole. */
  readonly column: number | undefined;

  constructor(caller: string, place: { readonly row: number; readonly column?: number; readonly value?: number }) {
    const { row, column, value } = place;
    const where = column === undefined ? `row ${row}` : `[${row}, ${column}]`;
    super(
      'NOT_FINITE',
      `${caller}: weight has a value at ${where} that cannot be scaled: expected finite numbers, got ${value ?? 'NaN or an infinity'}. ` +
        'Check that the checkpoint was read completely and with the right dtype.',
      { caller, row, column, value },
    );
    this.row = row;
    this.column = column;
  }
}
