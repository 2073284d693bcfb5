// The tower, the image decoder and the prompt as CUDA graphs: replays with new values equal eager runs to the bit.

import { cudaUnavailable } from '@limen/tensor/testing';
import { describe, expect, it } from 'vitest';

import { capturedParts, replayPart } from '../testing/captured-parts.js';
import { loadSmall, modelsAtHand } from '../testing/paged-decoding.js';

const reason = cudaUnavailable();
if (reason !== undefined) console.log(`skipped: ${reason}`);

describe.skipIf(reason !== undefined).each(modelsAtHand)('%s on a GPU', (name) => {
  describe.each(['f32', 'bf16'] as const)('in %s', (dtype) => {
    it.each(capturedParts)('the %s, captured, makes of new values what it makes of them eagerly', async (part) => {
      const loaded = loadSmall(name, 'cuda', dtype);
      using _network = loaded.network;
      const { replayed, eager } = await replayPart(loaded, part);
      expect(replayed.length).toBeGreaterThan(0);
      expect(replayed).toEqual(eager);
    });
  });
});
