import { normLinearCases } from '../testing/norm-linear-cases.js';
import { opCases } from '../testing/op-cases.js';
import { normLinear } from './norm-linear.js';

export default opCases(normLinear, normLinearCases({ weight: { low: -0.1, high: 0.1 } }));
