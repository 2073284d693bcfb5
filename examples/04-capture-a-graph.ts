// Capture and replay: a step is recorded once and then launched as a whole. On the CPU that is a list of ops; with a GPU,
// `node --import tsx examples/04-capture-a-graph.ts cuda` makes it a CUDA graph.

import { capture, StaticInputs } from '@limen/graph-runtime';
import { fromArray, read, rmsNorm } from '@limen/tensor';

const device = process.argv[2] ?? 'cpu';
const channels = 256;

// A recording always works on the same memory. New inputs are copied into tensors that stay where they are.
using inputs = new StaticInputs(device, { x: { shape: [1, channels] } });
using weight = fromArray(new Float32Array(channels).fill(1), [channels], { device });

// The step knows nothing of capture: it launches ops on tensors it was given. Sixteen of them, as layers would.
const step = () => {
  let y = rmsNorm({ x: inputs.tensor('x'), weight });
  for (let layer = 1; layer < 16; layer += 1) y = rmsNorm({ x: y, weight }, { out: y });
  return y;
};

using graph = capture(device, step, { name: 'sixteen norms' });
console.log(`${graph.nodeCount} nodes, captured in ${graph.captureMilliseconds.toFixed(2)} ms`);

for (const power of [1, 2, 3]) {
  inputs.set(
    'x',
    Float32Array.from({ length: channels }, (_, channel) => (channel + 1) ** power),
  );
  using eager = step();
  const replayed = await read(graph.replay());
  const equal = (await read(eager)).every((value, index) => value === replayed[index]);
  console.log(
    `x^${power}: last value ${replayed.at(-1)?.toFixed(4)}, replay ${equal ? 'equals' : 'DIFFERS FROM'} eager`,
  );
  if (!equal) process.exitCode = 1;
}
