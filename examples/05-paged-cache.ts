// A paged key/value cache: plan it, fill a sequence, fork it, attend over both. Run with a device, or on the CPU.

import { PagedCache, planCache } from '@limen/kv-cache';
import { fromArray, read } from '@limen/tensor';

const device = process.argv[2] ?? 'cpu';
const model = { layers: 2, keyValueHeads: 2, headSize: 64 };
const plan = planCache({ model, dtype: 'f32', bytes: 4 * 2 ** 20 });
console.log(`4 MiB hold ${plan.tokens} tokens of ${plan.bytesPerToken} bytes in ${plan.pages} pages`);

using cache = PagedCache.create({ ...plan, device });
const random = (sizes: number[]) => {
  const count = sizes.reduce((product, size) => product * size, 1);
  return fromArray(
    Float32Array.from({ length: count }, () => Math.random() - 0.5),
    sizes,
    { device },
  );
};

const prompt = cache.allocateSequence(20); // one and a quarter pages of 16
const branch = prompt.fork();
console.log('pages shared by the fork:', cache.statistics().pages.shared);

// Each branch makes one token of its own. The first to write gets a copy of the half-full page, in every layer.
for (const sequence of [prompt, branch]) console.log('pages copied:', sequence.append(1).copies.length);

using pageTable = cache.pageTable([prompt, branch]);
using lengths = cache.lengths([prompt, branch]);
using positions = fromArray([20, 20], [2, 1], { dtype: 'i32', device });
for (let layer = 0; layer < model.layers; layer += 1) {
  using k = random([2, 1, 2, 64]);
  using v = random([2, 1, 2, 64]);
  cache.append(layer, { k, v, pageTable, positions });
  using q = random([2, 4, 64]); // four query heads on two key/value heads
  using y = cache.attention(layer, { q, pageTable, lengths });
  console.log(`layer ${layer}: attention gives [${y.shape.join(', ')}], first value ${(await read(y))[0]?.toFixed(4)}`);
}
console.log(cache.statistics());
