// One line of doctor's report. Types only.

/** `good`; `note`: works, with a limit; `problem`: does not work until mended. */
export type FindingState = 'good' | 'note' | 'problem';

/** What was found, what it means, and what to do. */
export interface Finding {
  readonly name: string;
  readonly state: FindingState;
  readonly found: string;
  /** What it means for the user. */
  readonly meaning: string;
  /** What mends or improves it; absent when there is nothing to do. */
  readonly command?: string;
}
