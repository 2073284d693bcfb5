// Loads the addon in a child process first: a binary or a driver that crashes or hangs takes the child down, not the
// caller. The verdict is kept on disk for this binary and this driver, so it costs one short process once.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

export interface ProbeVerdict {
  readonly outcome: 'passed' | 'failed' | 'crashed' | 'hung';
  /** Why it did not pass: the loader's words, the signal, the time limit. */
  readonly detail: string;
}

export interface ProbeOptions {
  /** Folder for verdicts; `undefined` keeps none. */
  readonly cacheFolder: string | undefined;
  readonly timeoutMs: number;
  /** Program that loads `process.argv[1]`; replaced in tests. */
  readonly program: string;
}

// Asks the driver too: most hangs and crashes come from there, not from loading.
const loadProgram =
  'try { const addon = require(process.argv[1]); addon.ops(); addon.cudaStatus(); } catch (error) { process.stderr.write(String(error.message)); process.exitCode = 86; }';
const failedToLoad = 86;
const failureLifetimeMs = 10 * 60 * 1000;

export const defaultProbeOptions: ProbeOptions = {
  cacheFolder: path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'limen', 'probe'),
  timeoutMs: 20_000,
  program: loadProgram,
};

/** Whether the binary loads and answers, as far as a child process can tell. Never throws. */
export function probeNative(file: string, options: ProbeOptions = defaultProbeOptions): ProbeVerdict {
  const cacheFile =
    options.cacheFolder === undefined ? undefined : path.join(options.cacheFolder, `${fingerprint(file)}.json`);
  const known = cacheFile === undefined ? undefined : readVerdict(cacheFile);
  if (known !== undefined) return known;
  const verdict = askChild(file, options);
  if (cacheFile !== undefined) keepVerdict(cacheFile, verdict);
  return verdict;
}

function askChild(file: string, options: ProbeOptions): ProbeVerdict {
  const child = spawnSync(process.execPath, ['-e', options.program, file], {
    env: { ...process.env, NODE_OPTIONS: '', ELECTRON_RUN_AS_NODE: '1' },
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
  });
  const failure = child.error;
  if (failure !== undefined && 'code' in failure && failure.code === 'ETIMEDOUT')
    return { outcome: 'hung', detail: `no answer within ${options.timeoutMs} ms` };
  // Where no process can be started there is nothing to learn; loading is then the caller's risk.
  if (failure !== undefined || child.status === 0) return { outcome: 'passed', detail: '' };
  const words = child.stderr.trim().slice(0, 2000);
  if (child.status === failedToLoad) return { outcome: 'failed', detail: words };
  const end = child.signal === null ? `exit status ${child.status ?? 'unknown'}` : `signal ${child.signal}`;
  return { outcome: 'crashed', detail: words === '' ? end : `${end}: ${words}` };
}

// The driver's version file changes with the driver, and costs a hundredth of asking it.
function fingerprint(file: string): string {
  const { mtimeMs, size } = statSync(file);
  let driver = 'none';
  try {
    driver = readFileSync('/proc/driver/nvidia/version', 'utf8');
  } catch {
    // no driver
  }
  return createHash('sha256')
    .update([file, mtimeMs, size, driver, process.version].join('\n'))
    .digest('hex')
    .slice(0, 32);
}

function readVerdict(file: string): ProbeVerdict | undefined {
  try {
    const verdict = JSON.parse(readFileSync(file, 'utf8')) as ProbeVerdict;
    // A failure may be mended without touching the binary (a library, memory, a reset device), so it is asked again.
    const isStale = verdict.outcome !== 'passed' && Date.now() - statSync(file).mtimeMs > failureLifetimeMs;
    return isStale ? undefined : verdict;
  } catch {
    return undefined;
  }
}

function keepVerdict(file: string, verdict: ProbeVerdict): void {
  // What the loader refuses is refused again in no time; remembering it would only outlive its cause.
  if (verdict.outcome === 'failed') return;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    const unfinished = `${file}.${process.pid}`;
    writeFileSync(unfinished, JSON.stringify(verdict));
    renameSync(unfinished, file);
  } catch {
    // A read-only home costs the next start another probe, no more.
  }
}
