import { opCases } from '../testing/op-cases.js';
import { sample } from './sample.js';

/** Rows of [temperature, topK, topP, unused]. */
const settings = [
  [0, 0, 1, 0],
  [1, 0, 1, 0],
  [0.7, 50, 1, 0],
  [1.3, 0, 0.9, 0],
  [0.9, 40, 0.8, 0],
  [0.1, 5, 0.95, 0],
  [1, 1, 1, 0],
  [2, 0, 0.01, 0],
  [1, 3000, 1, 0],
  [1, 2500, 0.9, 0],
  [1, 0, 0.999, 0],
  [1, 1024, 0, 0],
];
const seeds = { low: -(2 ** 31), high: 2 ** 31 };
const counters = { low: 0, high: 4096 };
const rows = settings.length;

export default opCases(sample, {
  test: [
    { shapes: { logits: [1, 1] }, values: { parameters: 1, seeds: 1, counters: 0 } },
    { shapes: { logits: [rows, 1001] }, values: { parameters: settings.flat(), seeds, counters } },
    {
      shapes: { logits: [rows, 64] },
      values: { parameters: settings.flat(), seeds, counters, logits: { low: -9, high: 9 } },
    },
    // Large enough, and flat enough, for thresholds to be searched for instead of sorted out.
    { shapes: { logits: [rows, 20004] }, values: { parameters: settings.flat(), seeds, counters } },
    { shapes: { logits: [rows, 12345] }, values: { parameters: settings.flat(), seeds, counters, logits: 0.5 } },
    {
      shapes: { logits: [6, 3] },
      values: {
        logits: [
          NaN,
          NaN,
          NaN,
          -Infinity,
          1,
          NaN,
          5,
          Infinity,
          5,
          -Infinity,
          -Infinity,
          -Infinity,
          2,
          2,
          NaN,
          0,
          -0,
          -1,
        ],
        parameters: [1, 0, 1, 0, 1, 2, 0.9, 0, 1, 0, 0.9, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0],
        seeds: 3,
        counters: 9,
      },
    },
    { shapes: { logits: [0, 8] } },
  ],
  rejects: [
    { shapes: { logits: [2, 8], parameters: [2, 3] }, values: { seeds: 0, counters: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { logits: [2, 8], counters: [3] }, values: { seeds: 0, counters: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { logits: [2, 0] }, values: { seeds: 0, counters: 0 }, throws: 'SHAPE_MISMATCH' },
    { shapes: { logits: [2, 8] }, inputDTypes: { logits: 'i32' }, throws: 'UNSUPPORTED_DTYPE' },
    { shapes: { logits: [2, 8] }, inputDTypes: { counters: 'f32' }, throws: 'UNSUPPORTED_DTYPE' },
  ],
  bench: [
    { shapes: { logits: [1, 16384] }, values: { parameters: [1, 0, 1, 0], seeds, counters } },
    { shapes: { logits: [1, 102400] }, values: { parameters: [0.7, 50, 0.95, 0], seeds, counters } },
    { shapes: { logits: [1, 151552] }, values: { parameters: [1, 0, 0.8, 0], seeds, counters } },
  ],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
