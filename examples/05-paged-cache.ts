// A paged key/value cache: a prompt that is known already, a fork, decode attention. Run with a device, or on the CPU.

import { type CacheSequence, PagedCache, planCache } from '@limen/kv-cache';
import { empty, fillNormal, fromArray, read } from '@limen/tensor';

const device = process.argv[2] ?? 'cpu';
const model = { layers: 1, keyValueHeads: 2, headSize: 64 };
using cache = PagedCache.create({ ...planCache({ model, dtype: 'f32', bytes: 2 ** 20 }), device });

const normal = (...shape: number[]) => {
  const x = empty(shape, { device });
  fillNormal({ x }, { seed: shape.length });
  return x;
};
// Makes room for more tokens of a sequence and writes their keys and values, which a model would compute.
const grow = (sequence: CacheSequence, count: number) => {
  console.log(`${sequence.length} tokens, ${count} more; pages copied: ${sequence.append(count).copies.length}`);
  const newest = Array.from({ length: count }, (_, t) => sequence.length - count + t);
  using positions = fromArray(newest, [1, count], { dtype: 'i32', device });
  using pageTable = cache.pageTable([sequence]);
  using k = normal(1, count, 2, 64);
  cache.append(0, { k, v: k, pageTable, positions });
};
// The same prompt twice, 40 tokens in two and a half pages. The second time the full pages are there already.
const prompt = cache.prefix({ model: 'example' }, { tokens: Array.from({ length: 40 }, (_, id) => id) });
const open = () => {
  const sequence = cache.openSequence(prompt);
  grow(sequence, prompt.length - sequence.length);
  sequence.publish(prompt);
  return sequence;
};
const [first, second] = [open(), open()];
const fork = second.fork(); // shares all three pages; the first of the two to write gets a copy of the half-full one
for (const sequence of [second, fork]) grow(sequence, 1);

using pageTable = cache.pageTable([first, second, fork]);
using lengths = cache.lengths([first, second, fork]);
using q = normal(3, 4, 64); // four query heads on two key/value heads
using y = cache.attention(0, { q, pageTable, lengths });
console.log(`attention [${y.shape.join(', ')}]`, (await read(y)).slice(0, 3), cache.statistics());
