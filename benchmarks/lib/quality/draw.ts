// Has every case drawn and judges the drawings.

import { type Case, type DrawingRecord, judgeDrawing } from '@limen/janus-tiny';
import type { JanusModel } from '@limen/models-janus';

import { inBatches, type QualityOptions } from './batches.js';

/** One verdict per case. */
export async function drawEverything(
  model: JanusModel,
  cases: readonly Case[],
  { batch, guidance, temperature }: QualityOptions,
): Promise<DrawingRecord[]> {
  return inBatches('drawings', cases, batch, async (part, first) => {
    const prompts = part.map(({ drawPrompt }) => drawPrompt);
    const images = await model.drawBatch(prompts, { seed: first, guidance, temperature });
    return part.map(({ drawRequest, heldOut }, index) => {
      const image = images[index];
      return { right: image !== undefined && judgeDrawing(image, drawRequest).right, heldOut };
    });
  });
}
