// A function of the network, timed as it is and captured.

import { capture } from '@limen/graph-runtime';
import type { Tensor } from '@limen/tensor';

import { type Sample, timeLaunches } from './measure.js';

/** Times `step` launched op by op, and as one graph. */
export async function timeBothWays(
  device: string,
  step: () => Tensor,
  options: { readonly runs: number; readonly calls: number },
): Promise<{ readonly eager: Sample; readonly captured: Sample }> {
  const eager = await timeLaunches(device, () => step().dispose(), options);
  using graph = capture(device, step);
  // Awaited here: the graph lives until the last run.
  const captured = await timeLaunches(device, () => void graph.replay(), options);
  return { eager, captured };
}
