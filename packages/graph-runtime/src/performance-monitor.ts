// What steps took, how many tokens they made, and how often a graph could be used. Numbers in, reports out: it reads
// no clock and starts no timer, so that the caller decides what a step is and when to measure one. What the device holds
// and how busy it is, is asked when a report is.

import { InvalidArgumentError } from '@limen/tensor';

import { type DeviceSources, deviceSources } from './device-figures.js';
import type { GraphRuntimeStatistics } from './graph-runtime.js';
import { LatencyHistory } from './latency-history.js';
import { type PerformanceReport, reportFamilies, reportTable, type StepFigures } from './performance-report.js';
import { prometheusText } from './prometheus-text.js';

/** One finished step. */
export interface StepRecord {
  /** From the step's launch until its result was there, in milliseconds. */
  readonly milliseconds: number;
  /** Tokens it made over the whole batch; default 0. */
  readonly tokens?: number;
  /** `'graph'` for a replay; otherwise why no graph was used. Each distinct reason is counted, so leave numbers out. */
  readonly ran?: 'graph' | { readonly fallback: string };
}

/** What a monitor reports on. */
export interface PerformanceMonitorOptions {
  /** Steps that percentiles look back on; default 1024. */
  readonly history?: number;
  /** Device whose memory and, through NVML where present, utilisation is reported; default: steps alone. */
  readonly device?: string;
  /** Runtime whose graphs are reported. */
  readonly runtime?: { statistics(): GraphRuntimeStatistics };
  /** Where memory and utilisation come from; default: the device itself. */
  readonly sources?: DeviceSources;
}

interface Series {
  readonly history: LatencyHistory;
  readonly fallbacks: Map<string, number>;
  count: number;
  tokens: number;
  milliseconds: number;
  replays: number;
}

/**
 * Collects steps by kind (`decode`, `prefill`, `vision`, …) and reports them as JSON, a table or Prometheus text.
 * Memory is constant: a ring of `history` latencies for each kind, a counter for each distinct fallback reason.
 *
 * @example
 * const monitor = new PerformanceMonitor({ device: 'cuda', runtime });
 * monitor.record('decode', { milliseconds: 3.1, tokens: 8, ran: 'graph' });
 * console.log(monitor.toTable());
 */
export class PerformanceMonitor {
  readonly #series = new Map<string, Series>();
  readonly #options: PerformanceMonitorOptions;
  readonly #sources: DeviceSources | undefined;
  readonly #historyLength: number;

  /**
   * @throws {InvalidArgumentError} `history` is not a positive whole number
   * @throws {UnknownDeviceError} `device` names no device
   */
  constructor(options: PerformanceMonitorOptions = {}) {
    this.#options = options;
    this.#historyLength = new LatencyHistory(options.history).capacity;
    this.#sources = options.sources ?? (options.device === undefined ? undefined : deviceSources(options.device));
  }

  /**
   * Adds one finished step.
   * @param step - its kind
   * @throws {InvalidArgumentError} a number is negative, infinite or NaN
   */
  record(step: string, { milliseconds, tokens = 0, ran }: StepRecord): void {
    requireAmount('milliseconds', milliseconds);
    requireAmount('tokens', tokens);
    const series = this.#seriesOf(step);
    series.history.add(milliseconds, tokens);
    series.count += 1;
    series.tokens += tokens;
    series.milliseconds += milliseconds;
    if (ran === 'graph') series.replays += 1;
    else if (ran !== undefined) series.fallbacks.set(ran.fallback, (series.fallbacks.get(ran.fallback) ?? 0) + 1);
  }

  /** Figures of every kind of step, in the order in which the kinds first occurred. */
  figures(): StepFigures[] {
    return Array.from(this.#series, ([step, series]) => figuresOf(step, series));
  }

  /** Forgets everything, for example after a warm-up. */
  reset(): void {
    this.#series.clear();
  }

  /** Everything there is to report now. Memory and GPU are asked at this moment. */
  report(): PerformanceReport {
    const { device, runtime } = this.#options;
    const sources = this.#sources;
    const steps = this.figures();
    if (device === undefined || sources === undefined) return { steps, ...graphsOf(runtime) };
    const gpu = sources.gpu === undefined ? {} : { gpu: sources.gpu() };
    return { steps, device, memory: sources.memory(), ...gpu, ...graphsOf(runtime) };
  }

  toJSON(): PerformanceReport {
    return this.report();
  }

  /** A table with one line for each kind of step; below it reasons of fallbacks, memory, GPU and graphs. */
  toTable(): string {
    return reportTable(this.report());
  }

  /**
   * The page that a Prometheus server scrapes.
   * @param options.prefix - start of every metric name; default `limen`
   */
  toPrometheus({ prefix = 'limen' }: { readonly prefix?: string } = {}): string {
    return prometheusText(reportFamilies(this.report(), prefix));
  }

  #seriesOf(step: string): Series {
    const found = this.#series.get(step);
    if (found !== undefined) return found;
    const history = new LatencyHistory(this.#historyLength);
    const made: Series = { history, fallbacks: new Map(), count: 0, tokens: 0, milliseconds: 0, replays: 0 };
    this.#series.set(step, made);
    return made;
  }
}

function graphsOf(runtime: PerformanceMonitorOptions['runtime']): Pick<PerformanceReport, 'graphs'> {
  return runtime === undefined ? {} : { graphs: runtime.statistics() };
}

function figuresOf(step: string, series: Series): StepFigures {
  const [p50 = NaN, p95 = NaN, p99 = NaN] = series.history.percentiles(0.5, 0.95, 0.99);
  const fallbacks = [...series.fallbacks.values()].reduce((sum, times) => sum + times, 0);
  return {
    step,
    count: series.count,
    tokens: series.tokens,
    totalMilliseconds: series.milliseconds,
    p50Milliseconds: p50,
    p95Milliseconds: p95,
    p99Milliseconds: p99,
    longestMilliseconds: series.history.longest,
    tokensPerSecond: series.history.tokensPerSecond,
    graphReplays: series.replays,
    fallbacks: Object.fromEntries(series.fallbacks),
    graphHitRate: series.replays / (series.replays + fallbacks),
  };
}

function requireAmount(argument: string, got: number): void {
  if (Number.isFinite(got) && got >= 0) return;
  throw new InvalidArgumentError(
    `PerformanceMonitor.record: ${argument} is out of range: expected a number ≥ 0, got ${got}. Record a step once, after it has finished.`,
    { argument, got },
  );
}
