// An op of your own: declare its contract and its reference, and it checks, allocates, aliases and explains itself.
// Without a kernel of its name it runs on the CPU; with one (docs/guides/add-an-op.md) it also runs on CUDA.

import { defineOp, fromArray, read } from '@limen/tensor';

const softCap = defineOp({
  name: 'softCap',
  inputs: { x: { shape: ['...', 'C'] }, limit: { shape: ['C'] } },
  outputs: { y: { shape: ['...', 'C'], mayAlias: 'x' } },
  dtypes: ['f32', 'bf16'],
  attributes: { sharpness: 1 },
  kernel: 'soft_cap',
  source: 'https://arxiv.org/abs/2408.00118',
  // y = limit · tanh(sharpness · x / limit): nearly x where x is small, never beyond ±limit.
  reference({ x, limit, y }, { sharpness }) {
    for (const [index, value] of x.data.entries()) {
      const cap = limit.data[index % limit.data.length] ?? 1;
      y.data[index] = cap * Math.tanh((sharpness * value) / cap);
    }
  },
});

using x = fromArray([0.1, 10, -200, 1, 2, 3], [2, 3]);
using limit = fromArray([1, 30, 50], [3]);

using y = softCap({ x, limit }, { sharpness: 1 });
console.log('a new tensor ', await read(y));

softCap({ x, limit }, { out: x }); // allowed because the contract says mayAlias
console.log('in place     ', await read(x));
