// The one suite that every op goes through: eager, misaligned, captured and replayed, aliased; each against the reference.

import { read } from '../transfer.js';
import type { DeviceName } from '../device.js';
import type { DType } from '../dtype.js';
import { LimenError } from '@limen/cuda-kernels';
import { fromArray } from '../create.js';
import { record } from '../record.js';
import { type CaseValues, caseValues, drawInputs } from './case-values.js';
import { compareValues } from './expect-close.js';
import type { OpCase, OpCases, RejectedCase } from './op-cases.js';
import { PlacedTensor, type Placement } from './placed-tensor.js';

/** One thing to check. `run` resolves to a list of problems; empty means passed. */
export interface OpCheck {
  /** e.g. `rmsNorm · bf16 · x[3, 17, 1001] · captured` */
  readonly name: string;
  run(): Promise<string[]>;
}

type Way = 'eager' | 'misaligned' | 'captured' | 'aliased';

/** Every check of an op on a device. */
export function opChecks(cases: OpCases, device: DeviceName): OpCheck[] {
  const { op, test, rejects } = cases;
  const checks: OpCheck[] = [];
  const aliasable = Object.values(op.declaration.outputs).some(({ mayAlias }) => mayAlias !== undefined);
  for (const opCase of test) {
    for (const dtype of opCase.dtypes ?? op.declaration.dtypes) {
      const ways: Way[] = ['eager', 'misaligned', 'captured', ...(aliasable ? (['aliased'] as const) : [])];
      // The reference is the slow part: its results serve every way of running.
      let drawn: CaseValues | undefined;
      for (const [index, way] of ways.entries()) {
        checks.push({
          name: checkName(cases, opCase, dtype, way),
          async run() {
            drawn ??= caseValues(op, opCase, dtype);
            const values = drawn;
            if (index === ways.length - 1) drawn = undefined;
            return runCase(cases, opCase, dtype, device, way, values);
          },
        });
      }
    }
  }
  for (const rejected of rejects) {
    const name = `${op.declaration.name} · rejects ${describeShapes(rejected)} with ${rejected.throws}`;
    checks.push({ name, run: () => runRejected(cases, rejected, device) });
  }
  return checks;
}

function describeShapes({ shapes, attributes = {} }: OpCase): string {
  const sizes = Object.entries(shapes).map(([input, shape]) => `${input}[${shape.join(', ')}]`);
  return [...sizes, ...Object.entries(attributes).map(([name, value]) => `${name}=${String(value)}`)].join(' ');
}

function checkName({ op }: OpCases, opCase: OpCase, dtype: DType, way: Way): string {
  return `${op.declaration.name} · ${dtype} · ${describeShapes(opCase)} · ${way}`;
}

async function runCase(
  cases: OpCases,
  opCase: OpCase,
  dtype: DType,
  device: DeviceName,
  way: Way,
  values: CaseValues,
): Promise<string[]> {
  const { op } = cases;
  const { declaration } = op;
  const placement: Placement = way === 'misaligned' ? 'misaligned' : 'aligned';
  const inputs = new Map<string, PlacedTensor>();
  const outputs = new Map<string, PlacedTensor>();
  try {
    for (const [name, array] of Object.entries(values.inputs)) {
      inputs.set(
        name,
        new PlacedTensor(array, device, placement, declaration.inputs[name]?.layout ?? 'contiguous', true),
      );
    }
    for (const [name, array] of Object.entries(values.outputs)) {
      const contract = declaration.outputs[name];
      const alias = way === 'aliased' && contract?.mayAlias !== undefined ? inputs.get(contract.mayAlias) : undefined;
      if (way === 'aliased' && alias === undefined) return [];
      outputs.set(name, alias ?? new PlacedTensor(array, device, placement, contract?.layout ?? 'contiguous', false));
    }
    const names = [...outputs.keys()];
    const tensorOf = ([name, placed]: [string, PlacedTensor]) => [name, placed.tensor] as const;
    const named = Object.fromEntries([...outputs].map(tensorOf));
    const out = names.length === 1 ? named[names[0] ?? ''] : names.length === 0 ? undefined : named;
    const call = () => void op(Object.fromEntries([...inputs].map(tensorOf)), { ...opCase.attributes, out });

    call();
    if (way === 'captured') {
      // The eager call above was the warm-up. Two replays from the initial state: nothing may hang on scratch contents.
      const restore = () => [...inputs.values(), ...outputs.values()].forEach((placed) => placed.reset());
      using recording = record(device, call);
      for (let replay = 0; replay < 2; replay++) {
        restore();
        recording.replay();
      }
      return await verdicts(cases, values, dtype, inputs, outputs, way);
    }
    return await verdicts(cases, values, dtype, inputs, outputs, way);
  } finally {
    for (const placed of [...inputs.values(), ...outputs.values()]) placed[Symbol.dispose]();
  }
}

async function verdicts(
  { tolerance, op }: OpCases,
  values: CaseValues,
  dtype: DType,
  inputs: ReadonlyMap<string, PlacedTensor>,
  outputs: ReadonlyMap<string, PlacedTensor>,
  way: Way,
): Promise<string[]> {
  const problems: string[] = [];
  const expected = [...Object.entries(values.outputs), ...Object.entries(values.mutated)];
  for (const [name, array] of expected) {
    const placed = outputs.get(name) ?? inputs.get(name);
    if (placed === undefined) continue;
    const { values: actual, strayBytes } = await placed.inspect();
    const limit = tolerance[dtype] ?? tolerance[array.dtype] ?? 0;
    const verdict = compareValues(
      actual,
      array.values,
      ['i32', 'i8', 'u8'].includes(array.dtype) ? integerLimit(limit) : limit,
    );
    if (!verdict.passed) problems.push(`${name}: ${verdict.text}`);
    if (strayBytes > 0) problems.push(`${name}: ${strayBytes} bytes outside the tensor were overwritten`);
  }
  for (const [name, array] of Object.entries(values.inputs)) {
    const aliased =
      way === 'aliased' && Object.values(op.declaration.outputs).some(({ mayAlias }) => mayAlias === name);
    if (values.mutated[name] !== undefined || aliased) continue;
    const { values: after } = (await inputs.get(name)?.inspect()) ?? { values: array.values };
    if (!compareValues(after, array.values, 0).passed)
      problems.push(`${name}: an input that is not declared as mutated was changed`);
  }
  return problems;
}

/** Integer results are equal, unless a case states a tolerance of one or more steps. */
function integerLimit(limit: number): number {
  return limit >= 1 ? limit : 0;
}

async function runRejected({ op }: OpCases, rejected: RejectedCase, device: DeviceName): Promise<string[]> {
  const common = rejected.dtypes?.[0] ?? op.declaration.dtypes[0] ?? 'f32';
  const drawn = drawInputs(op, rejected, common, 1);
  const tensors = Object.entries(drawn).map(
    ([name, { values, shape, dtype }]) => [name, fromArray(values, shape, { dtype, device })] as const,
  );
  try {
    const result = op(Object.fromEntries(tensors), rejected.attributes ?? {});
    if (result !== undefined && typeof result === 'object' && result !== null && 'dispose' in result)
      await read(result as never);
    return [`expected an error with code ${rejected.throws}, but the call went through`];
  } catch (error) {
    if (!LimenError.isInstance(error)) return [`expected a LimenError, got ${String(error)}`];
    return error.code === rejected.throws
      ? []
      : [`expected code ${rejected.throws}, got ${error.code}: ${error.message}`];
  } finally {
    for (const [, tensor] of tensors) tensor.dispose();
  }
}
