// What the reader of @limen/janus-tiny, which is no model, sees in a drawing, and how that compares with what was asked.

import type { DrawRequest } from '@limen/janus-tiny';
import type { RgbImage } from '@limen/models-janus';

/** A drawing judged by its pixels. */
export interface DrawingVerdict {
  /** What the drawing shows, in a sentence. */
  readonly seen: string;
  /** Whether that is what was asked for; undefined if nobody knows what was. */
  readonly right: boolean | undefined;
  /** The difference in words; empty where there is none. */
  readonly differences: readonly string[];
}

/** @returns undefined for a picture of a size that the reader does not know */
export async function judge(image: RgbImage, request: DrawRequest | undefined): Promise<DrawingVerdict | undefined> {
  const { describeReading, judgeDrawing, nameShapes, WorldError } = await import('@limen/janus-tiny');
  try {
    const { right, missing, extra, sizesRight, backgroundRight, reading } = judgeDrawing(
      image,
      request ?? { objects: [] },
    );
    const seen = describeReading(reading);
    if (request === undefined) return { seen, right: undefined, differences: [] };
    const differences = [
      ...(missing.length === 0 ? [] : [`missing: ${nameShapes(missing)}`]),
      ...(extra.length === 0 ? [] : [`not asked for: ${nameShapes(extra)}`]),
      ...(sizesRight ? [] : ['sizes differ']),
      ...(backgroundRight ? [] : ['the background differs']),
    ];
    return { seen, right, differences };
  } catch (error) {
    if (WorldError.isInstance(error) && error.code === 'PICTURE_SIZE_INVALID') return undefined;
    throw error;
  }
}

/** The verdict as a line. */
export function verdictLine(verdict: DrawingVerdict | undefined): string {
  if (verdict === undefined) return 'The reader of shapes knows pictures of 64 × 64 pixels only.';
  const { seen, right, differences } = verdict;
  if (right === undefined) return `The reader of shapes sees: ${seen}`;
  const mark = right ? '✓' : '✗';
  const end = differences.length === 0 ? 'as asked' : differences.join('; ');
  return `The reader of shapes sees: ${seen} ${mark} ${end}`;
}
