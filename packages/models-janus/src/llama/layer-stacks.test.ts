// The two ways through the decoder agree: layer by layer, and all layers in one op. The second is for certain GPUs; here
// a device pretends to be one, and the op's reference stands in for its kernel.

import type * as tensor from '@limen/tensor';
import { leakReport } from '@limen/tensor';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { loadJanus } from '../janus-pro/load-janus.js';
import { decodeLogits, modelsAtHand, questions, smallModels } from '../testing/paged-decoding.js';
import type * as ops from '../ops/decode-layers.js';
import type { Quantization } from '../weights/weight-loader.js';

const device = vi.hoisted(() => ({ capability: undefined as number | undefined, layersAtOnce: 0 }));
vi.mock('@limen/tensor', async (importOriginal) => ({
  ...(await importOriginal<typeof tensor>()),
  computeCapability: () => device.capability,
}));
vi.mock('../ops/decode-layers.js', async (importOriginal) => {
  const { decodeLayers } = await importOriginal<typeof ops>();
  const counted: typeof decodeLayers = Object.assign((...call: Parameters<typeof decodeLayers>) => {
    device.layersAtOnce++;
    return decodeLayers(...call);
  }, decodeLayers);
  return { decodeLayers: counted };
});

afterEach(() => {
  device.capability = undefined;
  device.layersAtOnce = 0;
});

async function logitsOf(
  capability: number | undefined,
  quantization: Quantization,
  cache: Parameters<typeof decodeLogits>[3],
): Promise<Float32Array[]> {
  device.capability = capability;
  const loaded = loadJanus(smallModels['janus-a'], { device: 'cpu', dtype: 'bf16', quantization });
  using network = loaded.network;
  const [first] = questions(loaded).map(({ pixels, ...question }) => (pixels?.dispose(), question));
  return await decodeLogits(network, first ?? { ids: [] }, [3, 141, 59, 26], cache);
}

describe.skipIf(!modelsAtHand.includes('janus-a'))('a decoder whose weights are stacked', () => {
  test.each([
    { quantization: 'none', cache: { layout: 'HND', pageSize: 16 } },
    { quantization: 'none', cache: { layout: 'NHD', pageSize: 5 } },
    { quantization: 'int8', cache: { layout: 'HND', pageSize: 64 } },
  ] as const)('decodes with $quantization, $cache to the logits of layer by layer', async ({ quantization, cache }) => {
    const alive = leakReport().length;
    const expected = await logitsOf(undefined, quantization, cache);
    expect(device.layersAtOnce).toBe(0);
    const stacked = await logitsOf(9, quantization, cache);
    if (quantization === 'none') expect(device.layersAtOnce).toBe(4);
    for (const [step, logits] of stacked.entries()) {
      const byLayers = expected[step] ?? new Float32Array();
      const scale = Math.hypot(...byLayers);
      expect(Math.hypot(...logits.map((value, index) => value - (byLayers[index] ?? 0))) / scale).toBeLessThan(0.02);
    }
    expect(leakReport().length).toBe(alive);
  });

  test('goes layer by layer over a cache in another format', async () => {
    await logitsOf(9, 'none', { dtype: 'fp8' });
    expect(device.layersAtOnce).toBe(0);
  });
});
