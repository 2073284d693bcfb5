// What a performance report holds, and the report as a table for people and as Prometheus metrics. Pure.

import type { GpuStatusReading } from '@limen/cuda-kernels';

import type { MemoryFigures } from './device-figures.js';
import type { GraphRuntimeStatistics } from './graph-runtime.js';
import type { PrometheusFamily, PrometheusSample } from './prometheus-text.js';

/** Figures of one kind of step. Percentiles and rate look at the remembered steps, totals at all of them. */
export interface StepFigures {
  readonly step: string;
  readonly count: number;
  readonly tokens: number;
  readonly totalMilliseconds: number;
  readonly p50Milliseconds: number;
  readonly p95Milliseconds: number;
  readonly p99Milliseconds: number;
  readonly longestMilliseconds: number;
  readonly tokensPerSecond: number;
  readonly graphReplays: number;
  /** Steps that ran without a graph, by reason. */
  readonly fallbacks: Readonly<Record<string, number>>;
  /** Replays over replays and fallbacks; NaN before either. */
  readonly graphHitRate: number;
}

/** Everything that a monitor knows; what it was not asked to watch is absent. */
export interface PerformanceReport {
  readonly steps: readonly StepFigures[];
  readonly device?: string;
  readonly memory?: MemoryFigures;
  readonly gpu?: GpuStatusReading;
  readonly graphs?: GraphRuntimeStatistics;
}

const mebibyte = 2 ** 20;

/** A table with one line for each kind of step; below it reasons of fallbacks, memory, GPU and graphs. */
export function reportTable(report: PerformanceReport): string {
  const header = ['step', 'count', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms', 'tokens/s', 'graph'];
  const rows = [header, ...report.steps.map(cellsOf)];
  const widths = header.map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
  const reasons = report.steps.flatMap(({ step, fallbacks }) =>
    Object.entries(fallbacks).map(([reason, times]) => `${step} without graph, ${times}×: ${reason}`),
  );
  return [...lines, ...reasons, ...memoryLine(report), ...gpuLine(report), ...graphLine(report)].join('\n');
}

function cellsOf(figures: StepFigures): string[] {
  const { step, count, tokensPerSecond, graphHitRate } = figures;
  const latencies = [
    figures.p50Milliseconds,
    figures.p95Milliseconds,
    figures.p99Milliseconds,
    figures.longestMilliseconds,
  ];
  const hits = Number.isNaN(graphHitRate) ? '–' : `${(graphHitRate * 100).toFixed(1)}%`;
  return [step, String(count), ...latencies.map((value) => value.toFixed(2)), tokensPerSecond.toFixed(1), hits];
}

function mebibytes(bytes: number): string {
  return `${(bytes / mebibyte).toFixed(1)} MiB`;
}

function memoryLine({ device, memory }: PerformanceReport): string[] {
  if (memory === undefined) return [];
  const { inUseBytes, peakBytes, reservedBytes } = memory;
  return [
    `memory ${device ?? ''}: ${mebibytes(inUseBytes)} in use, peak ${mebibytes(peakBytes)}, reserved ${mebibytes(reservedBytes)}`,
  ];
}

function gpuLine({ gpu }: PerformanceReport): string[] {
  if (gpu === undefined) return [];
  if (!gpu.available) return [`gpu: no figures (${gpu.reason})`];
  const facts = [
    [gpu.utilizationPercent, ' % busy'],
    [gpu.memoryUtilizationPercent, ' % of the time on memory'],
    [gpu.temperatureCelsius, ' °C'],
    [gpu.powerMilliwatts === undefined ? undefined : Math.round(gpu.powerMilliwatts / 1000), ' W'],
    [gpu.multiprocessorClockMegahertz, ' MHz'],
  ] as const;
  const known = facts.filter(([value]) => value !== undefined).map(([value, unit]) => `${value}${unit}`);
  return [`gpu ${gpu.name ?? ''}: ${known.join(', ')}`];
}

function graphLine({ graphs }: PerformanceReport): string[] {
  if (graphs === undefined) return [];
  const { graphs: count, bytes, captures, evictions, replays, requests } = graphs;
  return [
    `graphs: ${count} of ${mebibytes(bytes)}, ${replays} replays of ${requests} requests, ${captures} captures, ${evictions} evictions`,
  ];
}

type Family = (
  name: string,
  type: PrometheusFamily['type'],
  help: string,
  samples: readonly PrometheusSample[],
) => PrometheusFamily;

/** Metrics of a report. */
export function reportFamilies(report: PerformanceReport, prefix: string): PrometheusFamily[] {
  const family: Family = (name, type, help, samples) => ({ name: `${prefix}_${name}`, type, help, samples });
  return [...stepFamilies(report, family), ...deviceFamilies(report, family), ...graphFamilies(report, family)];
}

function stepFamilies({ steps }: PerformanceReport, family: Family): PrometheusFamily[] {
  const perStep = (value: (figures: StepFigures) => number): PrometheusSample[] =>
    steps.map((figures) => ({ labels: { step: figures.step }, value: value(figures) }));
  const reasons = steps.flatMap(({ step, fallbacks }) =>
    Object.entries(fallbacks).map(([reason, value]) => ({ labels: { step, reason }, value })),
  );
  const tokens = perStep((figures) => figures.tokens);
  const rates = perStep((figures) => figures.tokensPerSecond);
  const replays = perStep((figures) => figures.graphReplays);
  return [
    family('step_latency_seconds', 'summary', 'Time from launch to result of a step.', steps.flatMap(latencySamples)),
    family('tokens_total', 'counter', 'Tokens made.', tokens),
    family('tokens_per_second', 'gauge', 'Tokens for each second spent in recent steps.', rates),
    family('graph_replays_total', 'counter', 'Steps that replayed a graph.', replays),
    family('graph_fallbacks_total', 'counter', 'Steps that ran without a graph, by reason.', reasons),
  ];
}

function latencySamples(figures: StepFigures): PrometheusSample[] {
  const { step } = figures;
  const quantile = (share: string, milliseconds: number): PrometheusSample => ({
    labels: { step, quantile: share },
    value: milliseconds / 1000,
  });
  return [
    quantile('0.5', figures.p50Milliseconds),
    quantile('0.95', figures.p95Milliseconds),
    quantile('0.99', figures.p99Milliseconds),
    { suffix: '_sum', labels: { step }, value: figures.totalMilliseconds / 1000 },
    { suffix: '_count', labels: { step }, value: figures.count },
  ];
}

function deviceFamilies({ device = '', memory, gpu }: PerformanceReport, family: Family): PrometheusFamily[] {
  const one = (value: number | undefined): PrometheusSample[] =>
    value === undefined ? [] : [{ labels: { device }, value }];
  const read = gpu?.available === true ? gpu : undefined;
  const scaled = (value: number | undefined, factor: number) => (value === undefined ? undefined : value * factor);
  return [
    family('memory_in_use_bytes', 'gauge', 'Memory held by live tensors.', one(memory?.inUseBytes)),
    family('memory_peak_bytes', 'gauge', 'Most memory held by live tensors.', one(memory?.peakBytes)),
    family('memory_reserved_bytes', 'gauge', 'Memory taken from the driver.', one(memory?.reservedBytes)),
    family(
      'gpu_utilization_ratio',
      'gauge',
      'Share of time with a kernel.',
      one(scaled(read?.utilizationPercent, 0.01)),
    ),
    family('gpu_memory_used_bytes', 'gauge', 'Memory used by all processes.', one(read?.memoryUsedBytes)),
    family('gpu_temperature_celsius', 'gauge', 'Temperature of the GPU.', one(read?.temperatureCelsius)),
    family('gpu_power_watts', 'gauge', 'Power drawn by the GPU.', one(scaled(read?.powerMilliwatts, 0.001))),
    family(
      'gpu_clock_hertz',
      'gauge',
      'Clock of the multiprocessors.',
      one(scaled(read?.multiprocessorClockMegahertz, 1e6)),
    ),
  ];
}

function graphFamilies({ graphs }: PerformanceReport, family: Family): PrometheusFamily[] {
  if (graphs === undefined) return [];
  const one = (value: number): PrometheusSample[] => [{ labels: { device: graphs.device }, value }];
  const perBucket = graphs.buckets.map(({ function: name, bucket, replays }) => ({
    labels: { function: name, bucket: Object.entries(bucket).flat().join(' ') },
    value: replays,
  }));
  return [
    family('graphs', 'gauge', 'Graphs that exist.', one(graphs.graphs)),
    family('graph_bytes', 'gauge', 'Memory held by graphs, their inputs included.', one(graphs.bytes)),
    family('graph_requests_total', 'counter', 'Calls of bucketed functions.', one(graphs.requests)),
    family('graph_captures_total', 'counter', 'Captures that succeeded.', one(graphs.captures)),
    family('graph_evictions_total', 'counter', 'Graphs dropped for the byte budget.', one(graphs.evictions)),
    family('graph_bucket_replays_total', 'counter', 'Replays by bucket.', perBucket),
  ];
}
