// Cold start: from starting a process to the first token of a checkpoint in the page cache, phase by phase.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { LimenError } from '@limen/tensor';

import { writeCheckpoint } from './lib/checkpoint/write-checkpoint.js';
import type { BenchmarkRequest } from './lib/command-line.js';
import { summarize } from './lib/measure.js';
import { progress } from './lib/progress.js';
import { benchmarkConfigs, ceilings } from './lib/random-janus.js';
import type { Measurement } from './lib/report.js';

/** What ends at each mark, in order. */
const phases = {
  process: 'starting Node',
  imports: 'importing the packages',
  addon: 'opening the addon',
  device: 'making the device ready',
  files: 'reading tokenizer, configuration and headers',
  weights: 'mapping the weights and copying them to the device',
  token: 'first token',
} as const;
type Phase = keyof typeof phases;

/** What the process says about itself. */
interface StartReport {
  /** Milliseconds since the epoch. */
  readonly reached: Readonly<Record<Phase, number>>;
  /** Of the weights. */
  readonly bytes: number;
  readonly token: number;
}

/** The process that was to start ended in another way. */
export class StartFailedError extends LimenError {
  constructor(cause: unknown) {
    const { stderr = '', message = String(cause) } = cause as { readonly stderr?: string; readonly message?: string };
    const reason = stderr.trim() === '' ? message : stderr.trim();
    super(
      'BENCH_START_FAILED',
      `start: process failed: expected a first token, got ${reason}. Run the folder with limen describe to see more.`,
      { reason },
      { cause },
    );
  }
}

/** Measures `runs` starts, 5 at most. Without a checkpoint one is written and removed. */
export async function benchStart(
  request: Pick<BenchmarkRequest, 'model' | 'device' | 'dtype' | 'runs' | 'checkpoint' | 'folder'>,
  nodeOptions: readonly string[] = process.execArgv,
): Promise<Measurement[]> {
  const { model, device, dtype } = request;
  const written = request.checkpoint === undefined ? mkdtempSync(join(request.folder ?? tmpdir(), 'limen-start-')) : '';
  const remove = () => rmSync(written, { recursive: true, force: true });
  // A run that is cut short must not leave gigabytes behind.
  const leave = () => {
    remove();
    process.exit(1);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) if (written !== '') process.once(signal, leave);
  try {
    if (written !== '') {
      progress(`start: writing ${model} with random weights to ${written}`);
      writeCheckpoint(written, benchmarkConfigs[model]);
    }
    const starts: (StartReport & { readonly began: number })[] = [];
    for (let run = 0; run < Math.min(request.runs, 5); run++) {
      const began = performance.timeOrigin + performance.now();
      const report = await startOnce([...nodeOptions], [request.checkpoint ?? written, device, dtype]);
      starts.push({ ...report, began });
      progress(`start: run ${run + 1}, ${((report.reached.token - began) / 1000).toFixed(2)} s`);
    }
    return startMeasurements(starts, `${request.checkpoint === undefined ? model : 'checkpoint'}/${dtype}`);
  } finally {
    if (written !== '') remove();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, leave);
  }
}

async function startOnce(nodeOptions: readonly string[], parameters: readonly string[]): Promise<StartReport> {
  const program = fileURLToPath(new URL('./start-child.ts', import.meta.url));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [...nodeOptions, program, ...parameters]);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as StartReport;
  } catch (error) {
    throw new StartFailedError(error);
  }
}

/** The whole, its parts, and the rate at which the weights came in. */
export function startMeasurements(
  starts: readonly (StartReport & { readonly began: number })[],
  what: string,
): Measurement[] {
  const names = Object.keys(phases) as Phase[];
  const seconds = (from: Phase | undefined, to: Phase) =>
    starts.map(({ began, reached }) => (reached[to] - (from === undefined ? began : reached[from])) / 1000);
  const bytes = starts[0]?.bytes ?? 0;
  const floor = bytes / ceilings.hostLinkBytesPerSecond;
  const rest = { rivals: [], floor: null };
  const note = `${(bytes / 1e9).toFixed(2)} GB`;
  const weights = seconds('files', 'weights');
  return [
    { id: `start/${what}`, unit: 's', ...summarize(seconds(undefined, 'token')), ...rest, floor, note },
    ...names.map((phase, index) => ({
      id: `start/${what}/${phase}`,
      unit: 's',
      ...summarize(seconds(names[index - 1], phase)),
      ...rest,
      ...(phase === 'weights' ? { floor } : {}),
      note: phases[phase],
    })),
    {
      id: `start/${what}/weights-rate`,
      unit: 'GB/s',
      ...summarize(weights.map((time) => bytes / 1e9 / time)),
      ...rest,
      floor: ceilings.hostLinkBytesPerSecond / 1e9,
    },
  ];
}
