import { InvalidArgumentError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { GraphRuntime } from './graph-runtime.js';
import { PerformanceMonitor } from './performance-monitor.js';
import { prometheusText } from './prometheus-text.js';
import { maskedSoftmax, ramp } from './testing/bucketed-examples.js';

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

describe('PerformanceMonitor of a device', () => {
  const memory = () => ({ inUseBytes: 3 * 2 ** 20, peakBytes: 5 * 2 ** 20, reservedBytes: 8 * 2 ** 20 });
  const gpu = {
    available: true,
    name: 'H200',
    utilizationPercent: 83,
    memoryUsedBytes: 5e9,
    temperatureCelsius: 61,
    powerMilliwatts: 512_345,
    multiprocessorClockMegahertz: 1755,
  } as const;

  it('reports memory and what the GPU says, in all three forms', () => {
    const monitor = new PerformanceMonitor({ device: 'cuda:0', sources: { memory, gpu: () => gpu } });
    expect(monitor.toJSON()).toEqual({ steps: [], device: 'cuda:0', memory: memory(), gpu });
    expect(monitor.toTable().split('\n').slice(1)).toEqual([
      'memory cuda:0: 3.0 MiB in use, peak 5.0 MiB, reserved 8.0 MiB',
      'gpu H200: 83 % busy, 61 °C, 512 W, 1755 MHz',
    ]);
    const lines = monitor.toPrometheus().split('\n');
    expect(lines).toContain('limen_memory_peak_bytes{device="cuda:0"} 5242880');
    expect(lines).toContain('limen_gpu_utilization_ratio{device="cuda:0"} 0.8300000000000001');
    expect(lines).toContain('limen_gpu_clock_hertz{device="cuda:0"} 1755000000');
  });

  it('says why there are no figures of the GPU, and leaves its metrics out', () => {
    const reading = () => ({ available: false, reason: 'libnvidia-ml.so.1: not found' }) as const;
    const monitor = new PerformanceMonitor({ device: 'cuda:0', sources: { memory, gpu: reading } });
    expect(monitor.toTable()).toContain('gpu: no figures (libnvidia-ml.so.1: not found)');
    expect(monitor.toPrometheus()).not.toContain('gpu_');
  });

  it('reports the process on a CPU, with a peak that is no less than what is in use', () => {
    const { memory: found, gpu: none } = new PerformanceMonitor({ device: 'cpu' }).report();
    expect(none).toBeUndefined();
    expect(found?.inUseBytes).toBeGreaterThan(2 ** 20);
    expect(found?.peakBytes).toBeGreaterThanOrEqual(found?.inUseBytes ?? Infinity);
  });

  it('reports the graphs of a runtime, and takes how a call ran as it is', () => {
    using runtime = GraphRuntime.create({ device: 'cpu' });
    const monitor = new PerformanceMonitor({ runtime });
    const f = maskedSoftmax(runtime, [1], [4], { verifyFirstReplay: false });
    for (const tokens of [3, 4, 9]) {
      using result = f.run({ x: ramp(tokens) }, { rows: 1 });
      monitor.record('softmax', { milliseconds: 1, ran: result.ran });
    }
    const { steps, graphs } = monitor.report();
    expect(steps[0]).toMatchObject({
      graphReplays: 2,
      fallbacks: { 'larger than every bucket of tokens': 1 },
    });
    expect(graphs).toMatchObject({ graphs: 1, replays: 2, requests: 3 });
    expect(monitor.toTable()).toMatch(/graphs: 1 of 0\.0 MiB, 2 replays of 3 requests, 1 captures, 0 evictions$/);
    expect(monitor.toPrometheus()).toContain(
      'limen_graph_bucket_replays_total{function="softmax",bucket="rows 1 tokens 4"} 2',
    );
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
