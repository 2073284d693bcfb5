// The shared test and bench machinery for ops, published as @limen/tensor/testing.

export { type CaseArray, caseShapes, type CaseValues, caseValues, drawInput } from './case-values.js';
export { checkOp, kernelName } from './check-op.js';
export { describeOps, type TestRunner } from './describe-ops.js';
export { type ClosenessVerdict, compareValues } from './expect-close.js';
export { cudaUnavailable } from './gpu.js';
export { type LoadedCases, loadCases } from './load-cases.js';
export { normLinearCases } from './norm-linear-cases.js';
export { type OpCase, type OpCases, opCases, type RejectedCase, type ValueRule } from './op-cases.js';
export { SeededRandom } from './random.js';
export { type OpCheck, opChecks } from './run-op-suite.js';
