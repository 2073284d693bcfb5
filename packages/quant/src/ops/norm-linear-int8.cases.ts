import { normLinearCases, opCases } from '@limen/tensor/testing';

import { normLinearInt8 } from './norm-linear-int8.js';

export default opCases(
  normLinearInt8,
  normLinearCases({ weight: { low: -127, high: 128 }, scales: { low: 0.0005, high: 0.001 } }),
);
