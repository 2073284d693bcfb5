// Loads the native addon once per process, or says why not. Nothing here throws but `requireNative`.

import { existsSync } from 'node:fs';

import { NativeLoadError } from './errors/native-load-error.js';
import { explainLoadFailure } from './explain-load-failure.js';
import type { LoadAttempt, NativeLoad } from './native-load.js';
import { listAddonCandidates, requireAddon } from './native.js';
import type { NativeBinding } from './native-types.js';
import { findPackageRoot } from './package-root.js';
import { probeNative, type ProbeVerdict } from './probe-native.js';

/** What loading depends on; tests replace parts. */
export interface LoadOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly root: string;
  readonly probe: (file: string) => ProbeVerdict;
  readonly requireAddon: (file: string) => NativeBinding;
}

let loaded: NativeLoad | undefined;

/** The addon of this process, loaded on the first call. Never throws. */
export function loadNative(): NativeLoad {
  loaded ??= tryLoad({ environment: process.env, root: findPackageRoot(), probe: probeNative, requireAddon });
  return loaded;
}

/**
 * The addon of this process.
 *
 * @throws {NativeLoadError} it could not be loaded; the text says what was tried and what to run
 */
export function requireNative(): NativeBinding {
  const load = loadNative();
  if (load.binding === null) throw new NativeLoadError(explainLoadFailure(load, findPackageRoot()), load.attempts);
  return load.binding;
}

/** Tries the candidates in order until one loads. */
export function tryLoad(options: LoadOptions): NativeLoad {
  const { LIMEN_NATIVE: mode, LIMEN_NATIVE_PATH: explicitPath, LIMEN_SKIP_PROBE: skipProbe } = options.environment;
  if (mode === 'off') return { binding: null, path: undefined, attempts: [], reason: 'LIMEN_NATIVE=off is set' };

  const attempts: LoadAttempt[] = [];
  for (const candidate of listAddonCandidates(options.root, explicitPath === '' ? undefined : explicitPath)) {
    if (!existsSync(candidate.path)) {
      attempts.push({ ...candidate, outcome: 'missing', detail: '' });
      continue;
    }
    const verdict: ProbeVerdict = skipProbe === '1' ? { outcome: 'passed', detail: '' } : options.probe(candidate.path);
    if (verdict.outcome !== 'passed') {
      attempts.push({ ...candidate, outcome: verdict.outcome, detail: verdict.detail });
      continue;
    }
    try {
      const binding = options.requireAddon(candidate.path);
      attempts.push({ ...candidate, outcome: 'loaded', detail: '' });
      return { binding, path: candidate.path, attempts, reason: undefined };
    } catch (error) {
      attempts.push({
        ...candidate,
        outcome: 'failed',
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  }
  return { binding: null, path: undefined, attempts, reason: reasonOf(attempts) };
}

function reasonOf(attempts: readonly LoadAttempt[]): string {
  // A file that is there and does not load says more than one that is missing.
  const telling = attempts.find((attempt) => attempt.outcome !== 'missing');
  if (telling === undefined) return `no built addon was found (${attempts.map((attempt) => attempt.path).join(', ')})`;
  const problem = {
    failed: 'did not load',
    crashed: 'crashed while loading',
    hung: 'hung while loading',
    loaded: 'loaded',
    missing: 'is missing',
  };
  return `${telling.path} ${problem[telling.outcome]}${telling.detail === '' ? '' : ` (${telling.detail})`}`;
}
