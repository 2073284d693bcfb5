// What the limen command ends with: scripts tell causes apart by the exit code.

import { LimenError } from '@limen/tensor';
import { CommanderError } from 'commander';

export const exitCodes = { ok: 0, other: 1, usage: 2, device: 3, input: 4, network: 5 } as const;

const usage = /^(USAGE|INVALID_ARGUMENT|REQUEST_INVALID|UNKNOWN_DEVICE)$/;
const device = /^(DEVICE_|NATIVE_|CUDA_|OUT_OF_MEMORY$|ENGINE_FAILED$)/;
const input =
  /^(CHECKPOINT|CONFIG|IMAGE|PICKLE|SAFETENSORS|TOKENIZER|TORCH|UNSAFE|UNSUPPORTED)_|^(PROMPT_TOO_LONG|CACHE_FULL)$/;
const networkCalls: ReadonlySet<unknown> = new Set(['listen', 'bind', 'connect', 'getaddrinfo']);

/** The exit code for an error that ended a command. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (LimenError.isInstance(error)) {
    if (usage.test(error.code)) return exitCodes.usage;
    if (device.test(error.code)) return exitCodes.device;
    if (input.test(error.code)) return exitCodes.input;
    return exitCodes.other;
  }
  if (typeof error === 'object' && error !== null && 'syscall' in error && networkCalls.has(error.syscall)) {
    return exitCodes.network;
  }
  return exitCodes.other;
}

/** What is printed for an error that ended a command: text and code; the stack only with LIMEN_DEBUG=1. */
export function errorText(error: unknown, environment: NodeJS.ProcessEnv = process.env): string {
  if (!(error instanceof Error)) return `limen: ${String(error)}`;
  if (environment['LIMEN_DEBUG'] === '1') return `limen: ${error.stack ?? error.message}`;
  const code = 'code' in error && typeof error.code === 'string' ? ` [${error.code}]` : '';
  return `limen: ${error.message.replace(/^limen: /, '')}${code}`;
}
