// The tower, the image decoder and the prompt can be captured whole: nothing in them waits, reads or copies from the host,
// and a replay depends on nothing but its inputs.

import { leakReport } from '@limen/tensor';
import { expect, it } from 'vitest';

import { capturedParts, replayPart } from '../testing/captured-parts.js';
import { loadSmall } from '../testing/paged-decoding.js';

it.each(capturedParts)('the %s, captured, makes of new values what it makes of them eagerly', async (part) => {
  const alive = leakReport().length;
  {
    const loaded = loadSmall('janus-a', 'cpu', 'f32');
    using _network = loaded.network;
    const { replayed, eager } = await replayPart(loaded, part);
    expect(replayed.length).toBeGreaterThan(0);
    expect(replayed).toEqual(eager);
  }
  expect(leakReport()).toHaveLength(alive);
});
