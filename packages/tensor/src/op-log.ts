// Logs each call before it is launched, so that a crash leaves evidence of what ran last.

import type { PreparedCall } from './backends/backend.js';
import { describeTensor } from './describe.js';

/** Receives one line per op call. */
export type OpLogListener = (line: string) => void;

let listener: OpLogListener | undefined =
  process.env['LIMEN_LOG_OPS'] === '1' ? (line) => process.stderr.write(`${line}\n`) : undefined;

/** Sets who receives a line per op call; `undefined` turns the log off. `LIMEN_LOG_OPS=1` writes to standard error. */
export function setOpLog(next: OpLogListener | undefined): void {
  listener = next;
}

/** Formats and delivers the line for a call, if anybody listens. */
export function logCall(call: PreparedCall): void {
  if (listener === undefined) return;
  const tensors = call.tensors.map((tensor) => (tensor === null ? '-' : describeTensor(tensor))).join(', ');
  const attributes = Object.entries(call.attributes)
    .map(([name, value]) => ` ${name}=${String(value)}`)
    .join('');
  listener(`${call.declaration.name}(${tensors})${attributes}`);
}
