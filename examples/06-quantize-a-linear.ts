// A linear layer in 8 bits: quantise its weight, compare weights and results, print what it cost.

import { ErrorReport, linearInt8, measureError, quantizationError, quantizeWeights } from '@limen/quant';
import { fromArray, linear, read } from '@limen/tensor';

const device = process.argv[2] ?? 'cpu';
const [rows, inputs, outputs] = [4, 256, 512];
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
const random = (sizes: [number, number], deviation: number) =>
  fromArray(
    Float32Array.from({ length: sizes[0] * sizes[1] }, () => normal() * deviation),
    sizes,
    { device },
  );

using x = random([rows, inputs], 1);
using weight = random([outputs, inputs], 0.02);
using quantized = await quantizeWeights(weight, { scheme: 'int8-channel' });
console.log(
  `${weight.byteLength} bytes became ${quantized.byteLength}: ${quantized.bitsPerWeight.toFixed(2)} bits a weight`,
);

using exact = linear({ x, weight });
using approximate = linearInt8({ x, weight: quantized.values, scales: quantized.scales });

const report = new ErrorReport();
report.add('weight', quantized.scheme.name, await quantizationError(weight, quantized));
report.add('result', quantized.scheme.name, measureError(await read(exact), await read(approximate)));
console.log(report.toTable());
