// Runs the limen command from source, as a process of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const repositoryRoot = fileURLToPath(new URL('../../..', import.meta.url));

/** The repository and what it holds for tests. */
export const paths = {
  root: repositoryRoot,
  checkpoint: `${repositoryRoot}fixtures/golden/janus-a`,
  picture: `${repositoryRoot}fixtures/golden/janus-a/images/img0.png`,
};

/** What a finished command left. */
export interface CommandResult {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Starts the command; without the native addon unless `environment` says otherwise. */
export function startLimen(parameters: readonly string[], environment: NodeJS.ProcessEnv = {}): ChildProcess {
  const source = ['--import', 'tsx', '--conditions=limen-source', 'packages/serve/src/cli.ts'];
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(LIMEN_|NODE_OPTIONS)/.test(name)),
  );
  return spawn(process.execPath, [...source, ...parameters], {
    cwd: repositoryRoot,
    env: { ...clean, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs the command to its end. */
export async function limen(parameters: readonly string[], environment?: NodeJS.ProcessEnv): Promise<CommandResult> {
  const child = startLimen(parameters, environment);
  let output = '';
  let errors = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (output += part));
  child.stderr?.setEncoding('utf8').on('data', (part: string) => (errors += part));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output, errors };
}
