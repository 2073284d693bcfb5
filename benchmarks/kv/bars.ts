// What the cache is expected to reach, and a table that says whether it does.

import { higherIsBetter, type Measurement } from '../lib/report.js';

/** A measurement whose id matches is at least this good. The first match counts. */
interface Bar {
  readonly id: RegExp;
  readonly target: number;
  /** A bar for kernels, which says nothing about the small sizes that are run on a CPU. */
  readonly ofDevice?: boolean;
}

const bars: readonly Bar[] = [
  { id: /^kv-attention\/[\w.-]+\/(f32|f16|bf16)\//, target: 0.85, ofDevice: true },
  { id: /^kv-attention\/[\w.-]+\/(fp8|int8)\//, target: 0.8, ofDevice: true },
  { id: /^kv-transform\//, target: 0.85, ofDevice: true },
  { id: /^kv-swap\//, target: 0.8, ofDevice: true },
  { id: /^allocator\/prefix-hash/, target: 5 },
  { id: /^allocator\//, target: 1 },
  { id: /^kv-requests-waste\//, target: 0.02 },
  { id: /^kv-requests-allocations\//, target: 0 },
];

/** A measurement against its bar. */
export interface Verdict {
  readonly measurement: Measurement;
  readonly target: number;
  readonly met: boolean;
}

/** Verdicts on the measurements that have a bar on this device. */
export function judge(measurements: readonly Measurement[], device: string): Verdict[] {
  return measurements.flatMap((measurement) => {
    const bar = bars.find(({ id }) => id.test(measurement.id));
    if (bar === undefined || (bar.ofDevice === true && device === 'cpu')) return [];
    const { target } = bar;
    const met = higherIsBetter(measurement.unit) ? measurement.median >= target : measurement.median <= target;
    return [{ measurement, target, met }];
  });
}

/** The verdicts as a table. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ measurement }) => measurement.id.length));
  const figure = (value: number) => (Number.isInteger(value) ? String(value) : value.toPrecision(3));
  const lines = verdicts.map(({ measurement: { id, unit, median }, target, met }) => {
    const bar = `${higherIsBetter(unit) ? '≥' : '≤'} ${figure(target)}`;
    return `${met ? '✓' : '✗'} ${id.padEnd(width)}  ${figure(median).padStart(8)}  ${bar.padEnd(7)} ${unit}`;
  });
  const met = verdicts.filter((verdict) => verdict.met).length;
  return [...lines, `${met} of ${verdicts.length} bars reached`].join('\n');
}
