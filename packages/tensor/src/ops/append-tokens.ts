// Keeps a history of drawn tokens on the device, so that the host need not read every step.

import { defineOp } from '../define-op.js';

/**
 * Writes one token per sequence into its history.
 *
 * `history[b, counters[b]] = ids[b]`; a counter outside `[0, L)` writes nothing.
 *
 * @param inputs.history - `[B, L]` i32, changed in place
 * @param inputs.ids - `[B]` i32, the tokens of this step
 * @param inputs.counters - `[B]` i32, tokens drawn before this step
 * @throws {ShapeMismatchError} `ids` or `counters` is not `[B]`
 *
 * @remarks Capture-safe. No workspace. Source: https://numpy.org/doc/stable/reference/generated/numpy.put_along_axis.html.
 * Kernel: `append_tokens.cu`.
 */
export const appendTokens = defineOp({
  name: 'appendTokens',
  inputs: {
    history: { shape: ['B', 'L'], dtype: ['i32'], mutated: true },
    ids: { shape: ['B'], dtype: ['i32'] },
    counters: { shape: ['B'], dtype: ['i32'] },
  },
  outputs: {},
  dtypes: ['i32'],
  kernel: 'append_tokens',
  source: 'https://numpy.org/doc/stable/reference/generated/numpy.put_along_axis.html',
  reference({ history, ids, counters }) {
    const length = history.shape[1] ?? 0;
    for (let b = 0; b < ids.data.length; b++) {
      const at = counters.data[b] ?? -1;
      if (at >= 0 && at < length) history.data[b * length + at] = ids.data[b] ?? 0;
    }
  },
});
