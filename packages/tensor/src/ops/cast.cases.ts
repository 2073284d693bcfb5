import type { OpCase } from '../testing/op-cases.js';
import { opCases } from '../testing/op-cases.js';
import { cast } from './cast.js';

const targets = ['f32', 'f16', 'bf16', 'f8e4m3', 'i32', 'i8', 'u8'];

// Ties to round, both ends of every range, subnormals of f16 and e4m3, and what is not a number.
const edges = [
  ...[0, -0, 1.0009765625, 1.00390625, 1.01171875, 1.0625, 1.1875, -2.5, 0.5, 1.5, 127.5, 128, -128.9, 255.9, 256, -1],
  ...[
    447,
    448,
    463,
    465,
    480,
    1e4,
    65519,
    65520,
    -65520,
    3e9,
    -3e9,
    2 ** -24,
    2 ** -25,
    2 ** -9,
    2 ** -10,
    3 * 2 ** -10,
  ],
  ...[NaN, Infinity, -Infinity],
];

const forAllTargets = (opCase: OpCase): OpCase[] => targets.map((dtype) => ({ ...opCase, attributes: { dtype } }));

export default opCases(cast, {
  test: [
    { shapes: { x: [1] } },
    ...forAllTargets({ shapes: { x: [3, 101] } }),
    ...forAllTargets({ shapes: { x: [2, 512] } }),
    ...forAllTargets({ shapes: { x: [edges.length] }, values: { x: edges }, dtypes: ['f32', 'f16', 'bf16'] }),
    ...forAllTargets({ shapes: { x: [4] }, values: { x: [2 ** 24, -(2 ** 30), 300, -300] }, dtypes: ['i32'] }),
    { shapes: { x: [0] }, attributes: { dtype: 'bf16' } },
  ],
  rejects: [],
  bench: [
    { shapes: { x: [4096, 8192] }, attributes: { dtype: 'bf16' }, dtypes: ['f32'] },
    { shapes: { x: [4096, 8192] }, attributes: { dtype: 'f8e4m3' }, dtypes: ['bf16'] },
  ],
  tolerance: { f32: 0, f16: 0, bf16: 0 },
});
