// Rules that every declared op obeys: a case list that can catch mistakes, a bench, a source, names that match.

import { sizeOf } from '../shape.js';
import { caseShapes } from './case-values.js';
import type { OpCases } from './op-cases.js';

/** `rmsNorm` → `rms_norm` */
export function kernelName(opName: string): string {
  return opName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What is missing from an op's declaration or cases; empty when nothing is. */
export function checkOp(cases: OpCases, fileStem: string): string[] {
  const { declaration } = cases.op;
  const problems: string[] = [];
  const require = (condition: boolean, problem: string) =>
    void (condition || problems.push(`${declaration.name}: ${problem}`));

  const kernel = kernelName(declaration.name);
  require(declaration.kernel === kernel, `kernel is named ${declaration.kernel}: expected ${kernel}`);
  require(fileStem ===
    kernel.replaceAll('_', '-'), `file is named ${fileStem}.ts: expected ${kernel.replaceAll('_', '-')}.ts`);
  require(/^https?:\/\//.test(declaration.source), 'source is not a link');
  require(cases.bench.length > 0, 'has no bench case');
  for (const dtype of declaration.dtypes) {
    require(cases.tolerance[dtype] !== undefined ||
      !['f32', 'f16', 'bf16'].includes(dtype), `has no tolerance for ${dtype}`);
  }

  const shapes = cases.test.map((opCase) => caseShapes(cases.op, opCase));
  const sizes = shapes.map((shape) => Object.values(shape).reduce((sum, extents) => sum + sizeOf(extents), 0));
  require(cases.test.length >= 2, 'has fewer than two test cases');
  const positive = sizes.filter((size) => size > 0);
  require(sizes[0] === Math.min(...positive), 'its first test case is not the smallest');
  // A kernel walks along the last axis, or along the whole tensor where the contract fixes that axis.
  const runs = shapes.flatMap((shape) =>
    Object.entries(shape).map(([input, extents]) =>
      typeof declaration.inputs[input]?.shape.at(-1) === 'number' ? sizeOf(extents) : (extents.at(-1) ?? 0),
    ),
  );
  require(runs.some(
    (run) => run > 8 && run % 8 !== 0,
  ), 'has no ragged case: no last axis above 8 that is not a multiple of 8');

  const codes = cases.rejects.map(({ throws }) => throws);
  require(codes.includes('SHAPE_MISMATCH') || Object.keys(declaration.inputs).length === 1, 'has no rejected shape');
  require(codes.includes('UNSUPPORTED_DTYPE') || declaration.dtypes.length === 7, 'has no rejected dtype');
  if (declaration.check !== undefined) {
    require(codes.filter((code) => code === 'SHAPE_MISMATCH').length >=
      2, 'has a clause of its own but rejects only one shape');
  }
  return problems;
}
