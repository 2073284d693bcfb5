// A sequence goes to host memory and comes back, against what the host link carries.

import { bytesPerToken, PagedCache } from '@limen/kv-cache';
import { type DType, synchronize } from '@limen/tensor';

import { type Sample, scale, summarize } from '../lib/measure.js';
import { fillPages, growTogether } from './decode-step.js';
import type { KvContext } from './context.js';

/** About a gigabyte of keys and values each. */
const shapes = {
  full: [
    { model: 'janus-pro-7b', layers: 30, keyValueHeads: 32, headSize: 128, tokens: 2048 },
    { model: 'glm-4v-9b', layers: 40, keyValueHeads: 2, headSize: 128, tokens: 24_576 },
  ],
  small: [{ model: 'small', layers: 2, keyValueHeads: 2, headSize: 16, tokens: 100 }],
};

/** Measures the way out and the way back. */
export async function benchSwap({ device, size, runs, ceilings, add, attempt }: KvContext): Promise<void> {
  for (const { model, tokens, ...shape } of shapes[size]) {
    await attempt(`kv-swap/${model}`, async () => {
      const dtype: DType = 'bf16';
      const bytes = tokens * bytesPerToken({ ...shape, dtype });
      const pages = 2 * Math.ceil(tokens / 16);
      using cache = PagedCache.create({ ...shape, dtype, pages, device, hostBytes: 2 * bytes });
      cache.reserveHost(bytes);
      // Its pages lie among those of another sequence, as they do in a server.
      const other = cache.allocateSequence(0);
      let sequence = cache.allocateSequence(0);
      growTogether([sequence, other], tokens, cache.shape.pageSize);
      using pageTable = cache.pageTable([sequence]);
      fillPages(cache, pageTable, tokens);
      const out: number[] = [];
      const back: number[] = [];
      for (let run = 0; run <= runs; run++) {
        await synchronize(device);
        const start = performance.now();
        const swapped = await cache.swapOut(sequence);
        const middle = performance.now();
        sequence = await cache.swapIn(swapped);
        await synchronize(device);
        out.push(middle - start);
        back.push(performance.now() - middle);
      }
      const { linkOut, linkIn } = await ceilings();
      // The first run takes memory that later ones reuse.
      report('out', summarize(out.slice(1)), linkOut.median);
      report('in', summarize(back.slice(1)), linkIn.median);

      function report(way: 'out' | 'in', milliseconds: Sample, link: number): void {
        const rate = scale(milliseconds, (time) => (1000 * bytes) / time);
        const gigabytes = scale(rate, (value) => value / 1e9);
        const share = scale(rate, (value) => value / link);
        const id = `${way}/${dtype}/${model}`;
        const note = `${(bytes / 1e9).toFixed(2)} GB`;
        add({ id: `kv-swap/${id}`, unit: 'share', ...share, floor: 1, rivals: [], note });
        add({ id: `kv-swap-rate/${id}`, unit: 'GB/s', ...gigabytes, floor: link / 1e9, rivals: [] });
      }
    });
  }
}
