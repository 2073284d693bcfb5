// Draws the next token of each sequence. The choice of what may be drawn and the draw itself: sample.reference.ts.

import { defineOp } from '../define-op.js';
import type { ContractProblem, Sizes } from '../op-declaration.js';
import { sampleRow } from './sample.reference.js';

function checkVocabulary(sizes: Sizes): ContractProblem | undefined {
  if (sizes.get('V') > 0) return undefined;
  return { argument: 'logits', expected: 'at least one logit per row', got: 'none' };
}

/**
 * Draws one token per row from its logits.
 *
 * Kept are the `topK` most likely tokens (of equal ones the lower index), and of these the fewest most likely ones whose
 * probability at this temperature reaches `topP`. Drawn is the kept token with the greatest
 * `logit / temperature − log(−log u)`: a draw from their softmax. `u` comes from Philox4x32-10 with the row's seed as key and
 * `(⌊v / 4⌋, counter, 0, 0)` as counter, word `v mod 4`, as `(bits / 2^8 + ½) · 2^−24`. A draw depends on its own row only:
 * the same alone and in a batch, eager and captured.
 *
 * @param inputs.logits - `[B, V]` f32 | f16 | bf16, contiguous; NaN is never drawn
 * @param inputs.parameters - `[B, 4]` f32: temperature (dimensionless; 0 or less takes the greatest logit), topK (tokens;
 *   0 or less: no limit), topP (probability; 1 or more: no limit), unused
 * @param inputs.seeds - `[B, 2]` i32, any bits
 * @param inputs.counters - `[B]` i32, draws made before in this sequence; advance it by one per draw
 * @param options.out - `[B]` i32; default: a new tensor that the caller disposes
 * @returns `[B]` i32 token ids, on the device of `logits`; 0 for a row of only NaN
 * @throws {ShapeMismatchError} shapes do not agree, or rows are empty
 * @throws {UnsupportedDTypeError} a type outside the list above
 * @throws {DisposedError} an argument was disposed
 *
 * @remarks Capture-safe. No workspace. Source: https://arxiv.org/abs/1904.09751 (top-p), https://arxiv.org/abs/1611.01144
 * (Gumbel-max). Kernel: `sample.cu`.
 */
export const sample = defineOp({
  name: 'sample',
  inputs: {
    logits: { shape: ['B', 'V'] },
    parameters: { shape: ['B', 4], dtype: ['f32'] },
    seeds: { shape: ['B', 2], dtype: ['i32'] },
    counters: { shape: ['B'], dtype: ['i32'] },
  },
  outputs: { ids: { shape: ['B'], dtype: 'i32' } },
  dtypes: ['f32', 'f16', 'bf16'],
  check: checkVocabulary,
  kernel: 'sample',
  source: 'https://arxiv.org/abs/1904.09751',
  reference({ logits, parameters, seeds, counters, ids }) {
    const vocabulary = logits.shape[1] ?? 0;
    for (let row = 0; row < ids.data.length; row++) {
      const [temperature = 0, topK = 0, topP = 1] = parameters.data.subarray(row * 4, row * 4 + 4);
      ids.data[row] = sampleRow(logits.data.subarray(row * vocabulary, (row + 1) * vocabulary), {
        temperature,
        topK,
        topP,
        key: [seeds.data[row * 2] ?? 0, seeds.data[row * 2 + 1] ?? 0],
        counter: counters.data[row] ?? 0,
      });
    }
  },
});
