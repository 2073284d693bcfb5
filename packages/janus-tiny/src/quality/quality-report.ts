// Adds up what a model got right on fresh cases, in the form that other programs read.

import type { QuestionKind } from '../world/question.js';
import { bleu, rougeL, type TextPair } from './text-scores.js';

/** An answer beside the right one. */
export interface AnswerRecord {
  readonly kind: QuestionKind;
  readonly answer: string;
  readonly expected: string;
  readonly heldOut: boolean;
}

/** A verdict on a drawing. */
export interface DrawingRecord {
  readonly right: boolean;
  readonly heldOut: boolean;
}

/** What was run. */
export interface QualityRun {
  readonly seed: number;
  readonly count: number;
  readonly device: string;
  /** Format of the decoder's weights, e.g. `f32`, `bf16`, `int8`. */
  readonly weights: string;
  /** Format of keys and values. */
  readonly kv: string;
  readonly captured: boolean;
}

/** The report. Shares lie between 0 and 1; null where nothing was asked. */
export interface QualityReport extends QualityRun {
  readonly answers: {
    readonly accuracy: number | null;
    readonly heldOut: number | null;
    readonly byKind: Readonly<Record<string, number>>;
  };
  readonly descriptions: { readonly bleu: number; readonly rougeL: number };
  readonly drawings: { readonly accuracy: number | null; readonly heldOut: number | null };
  /** Share of tokens, answers and codes, equal to those of the full-precision run on the CPU. */
  readonly agreement: number | null;
}

function share<Item>(items: readonly Item[], isRight: (item: Item) => boolean): number | null {
  return items.length === 0 ? null : items.filter(isRight).length / items.length;
}

/** An answer counts when it is the right one, apart from case, surrounding space and a final stop. */
export function isRightAnswer({ answer, expected }: Pick<AnswerRecord, 'answer' | 'expected'>): boolean {
  const normal = (text: string) => text.trim().toLowerCase().replace(/\.$/, '');
  return normal(answer) === normal(expected);
}

/** Builds the report. */
export function qualityReport(
  run: QualityRun,
  answers: readonly AnswerRecord[],
  descriptions: readonly TextPair[],
  drawings: readonly DrawingRecord[],
  agreement: number | null,
): QualityReport {
  const byKind: Record<string, number> = {};
  for (const kind of new Set(answers.map((answer) => answer.kind))) {
    byKind[kind] = share(answers.filter((answer) => answer.kind === kind), isRightAnswer) ?? 0;
  }
  return {
    ...run,
    answers: {
      accuracy: share(answers, isRightAnswer),
      heldOut: share(answers.filter(({ heldOut }) => heldOut), isRightAnswer),
      byKind,
    },
    descriptions: { bleu: bleu(descriptions), rougeL: rougeL(descriptions) },
    drawings: {
      accuracy: share(drawings, ({ right }) => right),
      heldOut: share(drawings.filter(({ heldOut }) => heldOut), ({ right }) => right),
    },
    agreement,
  };
}

/** The report as lines for people. */
export function qualityTable({ answers, descriptions, drawings, agreement, ...run }: QualityReport): string {
  const percent = (value: number | null) => (value === null ? '–' : `${(value * 100).toFixed(1)} %`);
  const rows: [string, string][] = [
    ['answers right', percent(answers.accuracy)],
    ['  on held-out combinations', percent(answers.heldOut)],
    ...Object.entries(answers.byKind).map(([kind, value]): [string, string] => [`  about ${kind}`, percent(value)]),
    ['descriptions, BLEU', descriptions.bleu.toFixed(4)],
    ['descriptions, ROUGE-L', descriptions.rougeL.toFixed(4)],
    ['drawings right', percent(drawings.accuracy)],
    ['  on held-out combinations', percent(drawings.heldOut)],
    ['tokens as in full precision', percent(agreement)],
  ];
  const { device, weights, kv, captured, count, seed } = run;
  const title = `${count} cases from seed ${seed} on ${device}, weights ${weights}, keys and values ${kv}, ${captured ? 'captured' : 'eager'}`;
  return [title, ...rows.map(([name, value]) => `${name.padEnd(32)} ${value.padStart(8)}`)].join('\n');
}
