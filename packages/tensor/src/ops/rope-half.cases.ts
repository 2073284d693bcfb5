import { opCases } from '../testing/op-cases.js';
import { rotaryCases } from '../testing/rotary-cases.js';
import { ropeHalf } from './rope-half.js';

export default opCases(ropeHalf, rotaryCases);
