// A function of your own, captured in buckets: a request of any size runs in the smallest graph that holds it, and eagerly
// where none does. With a GPU: `node --import tsx examples/10-graphs-in-buckets.ts cuda`.

import { GraphRuntime, PerformanceMonitor } from '@limen/graph-runtime';
import { add, affine, read, softmax } from '@limen/tensor';

const device = process.argv[2] ?? 'cpu';
using runtime = GraphRuntime.create({ device, byteBudget: 64 * 2 ** 20 });

// The share of each token in its row. Requests are padded up to a bucket; the mask keeps padding from getting a share.
const shares = runtime.bucketed('shares', {
  axes: { batch: [1, 2, 4], length: [8, 16, 32] },
  inputs: { scores: { shape: ['batch', 'length'] }, mask: { mask: ['batch', 'length'] } },
  outputs: { share: ['batch', 'length'] },
  step({ scores, mask }) {
    using hidden = affine({ x: mask }, { scale: 1e9, offset: -1e9 }); // 0 within the request, -1e9 beyond it
    using masked = add({ a: scores, b: hidden });
    return { share: softmax({ x: masked }) };
  },
});

const monitor = new PerformanceMonitor({ device, runtime });
const requests = ['1 × 5', '3 × 20', '1 × 7', '4 × 32', '1 × 40', '1 × 6'];
for (const request of requests) {
  const [batch = 1, length = 1] = request.split(' × ').map(Number);
  const scores = Float32Array.from({ length: batch * length }, (_, index) => (index % length) / 4);
  const start = performance.now();
  using result = shares.run({ scores }, { batch });
  let sum = 0;
  for (const share of await read(result.outputs.share)) sum += share;
  monitor.record('shares', { milliseconds: performance.now() - start, ran: result.ran });

  const how = result.ran === 'graph' ? `a replay of ${JSON.stringify(result.bucket)}` : `eager: ${result.ran.fallback}`;
  console.log(`${request}: shares sum to ${sum.toFixed(3)}; ${how}`);
  if (Math.abs(sum - batch) > 1e-3) process.exitCode = 1;
  await runtime.settled(); // the first replay of a bucket is compared with an eager run while the caller goes on
}
console.log(monitor.toTable());
