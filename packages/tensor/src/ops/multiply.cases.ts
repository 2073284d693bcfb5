import { opCases } from '../testing/op-cases.js';
import { suffixCases } from '../testing/suffix-cases.js';
import { multiply } from './multiply.js';

export default opCases(multiply, suffixCases);
