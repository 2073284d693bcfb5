// Runs a child process to its end and keeps what it printed, so that a step can stay quiet unless it fails.

import { spawn } from 'node:child_process';
import { repositoryRoot } from './repository.mjs';

/**
 * @typedef {object} CommandResult
 * @property {number} code exit code; 127 when the program was not found, 1 when a signal ended it
 * @property {string} output standard output and error, in the order they came
 * @property {number} seconds wall time
 */

/**
 * @typedef {object} CommandOptions
 * @property {string} [cwd] default: the repository root
 * @property {Record<string, string | undefined>} [env] added to the environment of this process
 * @property {boolean} [show] pass the child's output through instead of keeping it
 * @property {number} [timeoutSeconds] end the child after this time and fail
 */

/**
 * @param {string} program
 * @param {string[]} parameters
 * @param {CommandOptions} [options]
 * @returns {Promise<CommandResult>}
 */
export function runCommand(program, parameters, options = {}) {
  const started = performance.now();
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, parameters, {
      cwd: options.cwd ?? repositoryRoot,
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', ...options.env },
      stdio: options.show ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    const timer =
      options.timeoutSeconds === undefined
        ? undefined
        : setTimeout(() => {
            output += `\nStopped: still running after ${options.timeoutSeconds} s.\n`;
            child.kill('SIGKILL');
          }, options.timeoutSeconds * 1000);
    /** @param {number} code */
    const finish = (code) => {
      clearTimeout(timer);
      resolve({ code, output, seconds: (performance.now() - started) / 1000 });
    };
    child.stdout?.setEncoding('utf8').on('data', (text) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => {
      output += `${error.message}\n`;
      finish(127);
    });
    child.on('close', (code) => finish(code ?? 1));
  });
}
