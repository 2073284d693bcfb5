import { opCases } from '../testing/op-cases.js';
import { suffixCases } from '../testing/suffix-cases.js';
import { add } from './add.js';

export default opCases(add, suffixCases);
