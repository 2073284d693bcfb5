import { opCases } from '../testing/op-cases.js';
import { rotaryCases } from '../testing/rotary-cases.js';
import { ropeInterleaved } from './rope-interleaved.js';

export default opCases(ropeInterleaved, rotaryCases);
