// What steps took, how many tokens they made, and how often a graph could be used. Numbers in, reports out: it reads
// no clock and starts no timer, so that the caller decides what a step is and when to measure one.

import { InvalidArgumentError } from '@limen/tensor';

import { LatencyHistory } from './latency-history.js';
import { prometheusText, type PrometheusFamily, type PrometheusSample } from './prometheus-text.js';

/** One finished step. */
export interface StepRecord {
  /** From the step's launch until its result was there, in milliseconds. */
  readonly milliseconds: number;
  /** Tokens it made over the whole batch; default 0. */
  readonly tokens?: number;
  /** `'graph'` for a replay; otherwise why no graph was used. Each distinct reason is counted, so leave numbers out. */
  readonly ran?: 'graph' | { readonly fallback: string };
}

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
 * const monitor = new PerformanceMonitor();
 * monitor.record('decode', { milliseconds: 3.1, tokens: 8, ran: 'graph' });
 * console.log(monitor.toTable());
 */
export class PerformanceMonitor {
  readonly #series = new Map<string, Series>();
  readonly #historyLength: number;

  /**
   * @param options.history - steps that percentiles look back on; default 1024
   * @throws {InvalidArgumentError} `history` is not a positive whole number
   */
  constructor({ history = 1024 }: { readonly history?: number } = {}) {
    this.#historyLength = new LatencyHistory(history).capacity;
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

  toJSON(): { readonly steps: readonly StepFigures[] } {
    return { steps: this.figures() };
  }

  /** A table with one line for each kind of step, and one for each reason of a fallback below it. */
  toTable(): string {
    const header = ['step', 'count', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms', 'tokens/s', 'graph'];
    const figures = this.figures();
    const rows = [header, ...figures.map(cellsOf)];
    const widths = header.map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
    const lines = rows.map((cells) =>
      cells
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    );
    const reasons = figures.flatMap(({ step, fallbacks }) =>
      Object.entries(fallbacks).map(([reason, times]) => `${step} without graph, ${times}×: ${reason}`),
    );
    return [...lines, ...reasons].join('\n');
  }

  /**
   * The page that a Prometheus server scrapes.
   * @param options.prefix - start of every metric name; default `limen`
   */
  toPrometheus({ prefix = 'limen' }: { readonly prefix?: string } = {}): string {
    const steps = this.figures();
    const perStep = (value: (figures: StepFigures) => number): PrometheusSample[] =>
      steps.map((figures) => ({ labels: { step: figures.step }, value: value(figures) }));
    const family = (
      name: string,
      type: PrometheusFamily['type'],
      help: string,
      samples: readonly PrometheusSample[],
    ): PrometheusFamily => ({ name: `${prefix}_${name}`, type, help, samples });
    return prometheusText([
      family('step_latency_seconds', 'summary', 'Time from launch to result of a step.', steps.flatMap(latencySamples)),
      family(
        'tokens_total',
        'counter',
        'Tokens made.',
        perStep(({ tokens }) => tokens),
      ),
      family(
        'tokens_per_second',
        'gauge',
        'Tokens for each second spent in recent steps.',
        perStep((f) => f.tokensPerSecond),
      ),
      family(
        'graph_replays_total',
        'counter',
        'Steps that replayed a graph.',
        perStep((f) => f.graphReplays),
      ),
      family(
        'graph_fallbacks_total',
        'counter',
        'Steps that ran without a graph, by reason.',
        steps.flatMap(({ step, fallbacks }) =>
          Object.entries(fallbacks).map(([reason, value]) => ({ labels: { step, reason }, value })),
        ),
      ),
    ]);
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

function requireAmount(argument: string, got: number): void {
  if (Number.isFinite(got) && got >= 0) return;
  throw new InvalidArgumentError(
    `PerformanceMonitor.record: ${argument} is out of range: expected a number ≥ 0, got ${got}. Record a step once, after it has finished.`,
    { argument, got },
  );
}
