// The cache: its accounting, its kernels, its transforms and its host tier, against what this machine's memory can do.

import type { CacheDType, PageLayout } from '@limen/kv-cache';
import { LimenError, trimMemory } from '@limen/tensor';

import { benchAllocator } from './kv/allocator.js';
import { benchAttention, benchSharedPrefix } from './kv/attention.js';
import { judge, verdictTable } from './kv/bars.js';
import { type Ceilings, ceilingMeasurements, measureCeilings, measureProjection } from './kv/ceilings.js';
import type { KvContext } from './kv/context.js';
import { benchRequests } from './kv/requests.js';
import { benchSwap } from './kv/swap.js';
import { benchTransforms } from './kv/transforms.js';
import { type Measurement, printMeasurement } from './lib/report.js';

const parts = {
  allocator: benchAllocator,
  attention: benchAttention,
  shared: benchSharedPrefix,
  transforms: benchTransforms,
  requests: benchRequests,
  swap: benchSwap,
} as const;

/** Names that `--only` takes. */
export const kvParts = Object.keys(parts);

/** What the command line says. */
export interface KvOptions {
  readonly device: string;
  readonly size: 'full' | 'small';
  readonly runs: number;
  /** Parts to run; empty: all. */
  readonly only: readonly string[];
  readonly formats: readonly string[];
  readonly layouts: readonly string[];
  readonly batches: readonly number[];
  readonly contexts: readonly number[];
  readonly requests: number;
}

/** Rates of the memory, the host link and the tensor cores alone. */
export async function benchCeilings({ device, size, runs }: Pick<KvOptions, 'device' | 'size' | 'runs'>) {
  const memory = ceilingMeasurements(await measureCeilings(device, size, runs));
  const measurements = [...memory, await measureProjection(device, size, runs)];
  measurements.forEach(printMeasurement);
  return measurements;
}

/**
 * Measures the parts asked for.
 *
 * @param save - called after every part with what has been measured so far
 * @returns the measurements, and how many cases failed
 */
export async function benchKv(
  { only, formats, layouts, ...options }: KvOptions,
  save: (measurements: readonly Measurement[]) => void,
): Promise<{ measurements: Measurement[]; failures: number }> {
  const measurements: Measurement[] = [];
  let failures = 0;
  let measured: Promise<Ceilings> | undefined;
  const context: KvContext = {
    ...options,
    formats: formats as CacheDType[],
    layouts: layouts as PageLayout[],
    ceilings: () => (measured ??= measureOnce()),
    add(measurement) {
      printMeasurement(measurement);
      measurements.push(measurement);
    },
    async attempt(name, run) {
      try {
        await run();
      } catch (error) {
        failures++;
        console.log(`✗ ${name}: ${LimenError.isInstance(error) ? error.message : String(error)}`);
      }
    },
  };
  const measureOnce = async () => {
    const ceilings = await measureCeilings(options.device, options.size, options.runs);
    ceilingMeasurements(ceilings).forEach((measurement) => context.add(measurement));
    return ceilings;
  };
  for (const [name, run] of Object.entries(parts)) {
    if (only.length > 0 && !only.includes(name)) continue;
    console.log(`── ${name}`);
    await context.attempt(name, () => run(context));
    trimMemory(options.device);
    save(measurements);
  }
  const verdicts = judge(measurements, options.device);
  if (verdicts.length > 0) console.log(`\n${verdictTable(verdicts)}`);
  return { measurements, failures };
}
