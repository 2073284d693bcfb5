import { InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { PerformanceMonitor } from './performance-monitor.js';
import { prometheusText } from './prometheus-text.js';

function busyMonitor(): PerformanceMonitor {
  const monitor = new PerformanceMonitor();
  for (let index = 1; index <= 3; index += 1) monitor.record('decode', { milliseconds: 2, tokens: 8, ran: 'graph' });
  monitor.record('decode', { milliseconds: 4, tokens: 16, ran: { fallback: 'batch above "64"' } });
  monitor.record('prefill', { milliseconds: 20, tokens: 640 });
  return monitor;
}

describe('PerformanceMonitor', () => {
  it('keeps kinds of steps apart', () => {
    const [decode, prefill] = busyMonitor().figures();
    expect(decode).toEqual({
      step: 'decode',
      count: 4,
      tokens: 40,
      totalMilliseconds: 10,
      p50Milliseconds: 2,
      p95Milliseconds: 4,
      p99Milliseconds: 4,
      longestMilliseconds: 4,
      tokensPerSecond: 4000,
      graphReplays: 3,
      fallbacks: { 'batch above "64"': 1 },
      graphHitRate: 0.75,
    });
    expect(prefill).toMatchObject({ step: 'prefill', count: 1, tokensPerSecond: 32_000, graphHitRate: NaN });
  });

  it('counts totals beyond the length of its history', () => {
    const monitor = new PerformanceMonitor({ history: 2 });
    for (const milliseconds of [100, 1, 1]) monitor.record('decode', { milliseconds, tokens: 1 });
    expect(monitor.figures()[0]).toMatchObject({
      count: 3,
      tokens: 3,
      totalMilliseconds: 102,
      p99Milliseconds: 1,
      tokensPerSecond: 1000,
    });
  });

  it('prints a table with the reasons for running without a graph', () => {
    expect(busyMonitor().toTable().split('\n')).toEqual([
      'step     count  p50 ms  p95 ms  p99 ms  max ms  tokens/s  graph',
      'decode       4    2.00    4.00    4.00    4.00    4000.0  75.0%',
      'prefill      1   20.00   20.00   20.00   20.00   32000.0      –',
      'decode without graph, 1×: batch above "64"',
    ]);
    expect(new PerformanceMonitor().toTable()).toBe('step  count  p50 ms  p95 ms  p99 ms  max ms  tokens/s  graph');
  });

  it('writes a page that Prometheus reads', () => {
    const lines = busyMonitor().toPrometheus({ prefix: 'test' }).split('\n');
    expect(lines).toContain('# TYPE test_step_latency_seconds summary');
    expect(lines).toContain('test_step_latency_seconds{step="decode",quantile="0.95"} 0.004');
    expect(lines).toContain('test_step_latency_seconds_sum{step="decode"} 0.01');
    expect(lines).toContain('test_step_latency_seconds_count{step="prefill"} 1');
    expect(lines).toContain('test_tokens_total{step="decode"} 40');
    expect(lines).toContain('test_graph_fallbacks_total{step="decode",reason="batch above \\"64\\""} 1');
    expect(lines.at(-1)).toBe('');
    expect(new PerformanceMonitor().toPrometheus()).toBe('');
  });

  it('survives a round trip through JSON', () => {
    const parsed: unknown = JSON.parse(JSON.stringify(busyMonitor()));
    expect(parsed).toMatchObject({
      steps: [
        { step: 'decode', graphHitRate: 0.75 },
        { step: 'prefill', graphHitRate: null },
      ],
    });
  });

  it('forgets everything on reset', () => {
    const monitor = busyMonitor();
    monitor.reset();
    expect(monitor.figures()).toEqual([]);
  });

  it.each([
    { milliseconds: -1 },
    { milliseconds: NaN },
    { milliseconds: 1, tokens: -1 },
    { milliseconds: 1, tokens: Infinity },
  ])('rejects %o and records nothing', (step) => {
    const monitor = new PerformanceMonitor();
    expect(() => monitor.record('decode', step)).toThrowError(InvalidArgumentError);
    expect(monitor.figures()).toEqual([]);
  });

  it('rejects a history of no steps', () => {
    expect(() => new PerformanceMonitor({ history: 0 })).toThrowError(InvalidArgumentError);
  });
});

describe('prometheusText', () => {
  it('escapes labels and help, and spells out what is not finite', () => {
    const samples = [NaN, Infinity, -Infinity].map((value) => ({ labels: { path: 'a\\b\n"c"' }, value }));
    expect(prometheusText([{ name: 'x', help: 'two\nlines', type: 'gauge', samples }]).split('\n')).toEqual([
      '# HELP x two\\nlines',
      '# TYPE x gauge',
      ...['NaN', '+Inf', '-Inf'].map((value) => `x{path="a\\\\b\\n\\"c\\""} ${value}`),
      '',
    ]);
  });
});
