// Which sizes deserve a graph, given what a step of each size costs and how often each size occurs. Pure.

import { InvalidArgumentError } from '@limen/tensor';

import { bucketSizes } from '../bucket-sizes.js';

/** What to choose from. */
export interface BucketSizeChoice {
  /** Cost of a step by size, in any unit; the sizes are the candidates, the largest is always chosen. */
  readonly costs: ReadonlyMap<number, number>;
  /** How often requests of a size occur, in any unit; default: every size up to the largest equally often. */
  readonly demand?: (size: number) => number;
  /** Most sizes to choose; default: no bound. */
  readonly maxBuckets?: number;
  /** Fewer sizes are preferred as long as the expected cost stays within this share of the best; default 0.02. */
  readonly slack?: number;
}

/** A choice of sizes. */
export interface ChosenBucketSizes {
  /** Ascending. */
  readonly sizes: readonly number[];
  /** Mean cost of a request when each runs in the smallest chosen size that holds it. */
  readonly expectedCost: number;
}

/**
 * Chooses sizes: the fewest with which a request costs, on average, no more than `slack` above what the best choice
 * allows. Exact, by dynamic programming over candidates.
 *
 * @throws {InvalidArgumentError} there is no candidate, or a cost, a demand or `maxBuckets` is not usable
 */
export function chooseBucketSizes(choice: BucketSizeChoice): ChosenBucketSizes {
  const { costs, demand = () => 1, slack = 0.02 } = choice;
  const candidates = bucketSizes(costs.keys());
  const most = Math.min(choice.maxBuckets ?? candidates.length, candidates.length);
  const demands = candidates.map((size, index) => demandUpTo(demand, (candidates[index - 1] ?? 0) + 1, size));
  const total = demands.reduce((sum, each) => sum + each, 0);
  const usable = [...costs.values()].every((cost) => Number.isFinite(cost) && cost >= 0);
  if (!usable || !(total > 0) || !Number.isFinite(total) || !(most >= 1) || !(slack >= 0)) {
    throw new InvalidArgumentError(
      `chooseBucketSizes: choice is not usable: expected costs and demands ≥ 0, some demand, slack ≥ 0 and maxBuckets ≥ 1, ` +
        `got a demand of ${total}, slack ${slack} and maxBuckets ${choice.maxBuckets ?? 'none'}. Check what was measured.`,
    );
  }
  // best[k][j]: least cost of all requests up to candidate j, with k sizes of which j is the largest.
  const best = [candidates.map((size, last) => ({ cost: served(last, -1) * (costs.get(size) ?? 0), before: -1 }))];
  for (let count = 2; count <= most; count++) {
    const fewer = best[count - 2] ?? [];
    best.push(
      candidates.map((size, last) => {
        let found = { cost: Infinity, before: -1 };
        for (let before = count - 2; before < last; before++) {
          const cost = (fewer[before]?.cost ?? Infinity) + served(last, before) * (costs.get(size) ?? 0);
          if (cost < found.cost) found = { cost, before };
        }
        return found;
      }),
    );
  }
  function served(last: number, before: number): number {
    return demands.slice(before + 1, last + 1).reduce((sum, each) => sum + each, 0);
  }

  const end = candidates.length - 1;
  const costOf = (count: number) => best[count - 1]?.[end]?.cost ?? Infinity;
  const counts = Array.from({ length: most }, (_, index) => index + 1);
  const least = Math.min(...counts.map(costOf));
  const chosen = counts.find((count) => costOf(count) <= least * (1 + slack)) ?? most;
  const sizes: number[] = [];
  for (let count = chosen, at = end; count >= 1; count--) {
    sizes.unshift(candidates[at] ?? 0);
    at = best[count - 1]?.[at]?.before ?? -1;
  }
  return { sizes, expectedCost: costOf(chosen) / total };
}

function demandUpTo(demand: (size: number) => number, first: number, last: number): number {
  let sum = 0;
  for (let size = first; size <= last; size++) {
    const each = demand(size);
    if (!(each >= 0)) return NaN;
    sum += each;
  }
  return sum;
}
