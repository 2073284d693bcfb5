// Every bench case of every op: microseconds, bytes or operations per second.

import {
  record,
  type Recording,
  type Tensor,
  fromArray,
  empty,
  fillNormal,
  isFloat,
  bytesOf,
  type DType,
} from '@limen/tensor';
import { caseShapes, drawInput, loadCases, type OpCase, type OpCases } from '@limen/tensor/testing';

import { timeLaunches } from './lib/measure.js';
import { type Measurement, printMeasurement } from './lib/report.js';

const folders = ['tensor', 'kv-cache', 'quant'].map((name) => new URL(`../packages/${name}/src/ops/`, import.meta.url));

/** Large enough that rotating over copies of the inputs leaves the caches behind; or small, to see that it runs. */
const rotatedBytes = { full: 256 * 2 ** 20, small: 1 };
/** Cases with more elements than this are left out of a small run. */
const smallElements = 2 ** 16;

/** Which ops to time, and where. */
export interface OpsOptions {
  readonly device: string;
  readonly size: 'full' | 'small';
  readonly runs: number;
  /** Only ops whose name contains it. */
  readonly filter: string;
}

/** Times every bench case of the ops whose name contains `filter`, on one device. */
export async function benchOps({ device, size, runs, filter }: OpsOptions): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const folder of folders) {
    for (const { cases } of await loadCases(folder)) {
      if (!cases.op.declaration.name.includes(filter)) continue;
      for (const opCase of cases.bench) {
        if (size === 'small' && elementsOf(cases, opCase) > smallElements) continue;
        const dtype = (opCase.dtypes ?? cases.op.declaration.dtypes).includes('bf16')
          ? 'bf16'
          : (cases.op.declaration.dtypes[0] ?? 'f32');
        const measurement = await benchCase(cases, opCase, opCase.dtypes?.[0] ?? dtype, { device, size, runs });
        printMeasurement(measurement);
        measurements.push(measurement);
      }
    }
  }
  return measurements;
}

async function benchCase(
  cases: OpCases,
  opCase: OpCase,
  dtype: DType,
  { device, size, runs }: Omit<OpsOptions, 'filter'>,
): Promise<Measurement> {
  const { op } = cases;
  const { name } = op.declaration;
  const shapes = caseShapes(op, opCase);
  const sets: { inputs: Record<string, Tensor>; outputs: unknown }[] = [];
  let inputBytes = 0;
  let outputBytes = 0;
  do {
    const inputs = placeInputs(cases, opCase, dtype, device, shapes);
    const outputs = op(inputs, opCase.attributes);
    inputBytes = Object.values(inputs).reduce((sum, tensor) => sum + tensor.byteLength, 0);
    outputBytes = tensorsOf(outputs).reduce((sum, tensor) => sum + tensor.byteLength, 0);
    sets.push({ inputs, outputs });
  } while (sets.length * (inputBytes + outputBytes) < rotatedBytes[size] && sets.length < 64);
  const calls = Math.max(sets.length, size === 'full' ? 20 : 1);
  let recording: Recording | undefined;
  try {
    recording = record(device, () => {
      for (let call = 0; call < calls; call++) {
        const { inputs, outputs } = sets[call % sets.length] ?? { inputs: {}, outputs: undefined };
        op(inputs, { ...opCase.attributes, out: outputs });
      }
    });
    const graph = recording;
    // Enough replays that one wait for the device weighs nothing, and that clocks have risen from idle.
    const estimate = await timeLaunches(device, () => graph.replay(), { runs: 1, calls: 5, warmUps: 1 });
    const replays = size === 'small' ? 1 : Math.min(2000, Math.max(5, Math.ceil(20 / estimate.median)));
    const sample = await timeLaunches(device, () => graph.replay(), { runs, calls: replays, warmUps: 1 });
    const microseconds = {
      median: (sample.median * 1000) / calls,
      spread: (sample.spread * 1000) / calls,
      runs: sample.runs,
    };
    const bytes = cases.bytesMoved?.({ inputBytes, outputBytes, shapes }) ?? inputBytes + outputBytes;
    const operations = cases.operations?.(shapes);
    const rate = `${((bytes / microseconds.median) * 1e-6).toFixed(2)} TB/s`;
    const arithmetic =
      operations === undefined ? '' : `, ${((operations / microseconds.median) * 1e-6).toFixed(1)} TFLOP/s`;
    const types = [dtype, ...Object.values(opCase.inputDTypes ?? {})].join('-');
    const id = `op/${name}/${types}/${Object.entries(opCase.shapes)
      .map(([input, shape]) => `${input}${shape.join('x')}`)
      .join('_')}`;
    return { id, unit: 'us', ...microseconds, floor: (bytes / 4.6e12) * 1e6, rivals: [], note: rate + arithmetic };
  } finally {
    recording?.[Symbol.dispose]();
    for (const { inputs, outputs } of sets)
      for (const tensor of [...Object.values(inputs), ...tensorsOf(outputs)]) tensor.dispose();
  }
}

function elementsOf({ op }: OpCases, opCase: OpCase): number {
  return Object.values(caseShapes(op, opCase)).reduce(
    (sum, shape) => sum + shape.reduce((product, extent) => product * extent, 1),
    0,
  );
}

function tensorsOf(outputs: unknown): Tensor[] {
  if (typeof outputs !== 'object' || outputs === null) return [];
  return 'dispose' in outputs ? [outputs as Tensor] : Object.values(outputs as Record<string, Tensor>);
}

/** Large float inputs are drawn on the device; the rest as the test suite draws them. */
function placeInputs(
  cases: OpCases,
  opCase: OpCase,
  common: DType,
  device: string,
  shapes: Record<string, readonly number[]>,
): Record<string, Tensor> {
  const inputs: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const dtype = opCase.inputDTypes?.[name] ?? cases.op.declaration.inputs[name]?.dtype?.[0] ?? common;
    const size = shape.reduce((product, extent) => product * extent, 1);
    if (opCase.values?.[name] === undefined && isFloat(dtype) && bytesOf(dtype) > 1) {
      const tensor = empty(shape, { dtype, device });
      if (size > 0) fillNormal({ x: tensor }, { seed: name.length });
      inputs[name] = tensor;
    } else if (opCase.values?.[name] === undefined && bytesOf(dtype) === 1 && size % 2 === 0 && size > 0) {
      // Any bits will do where no value matters: those of f16 numbers, two elements each.
      using bits = empty([size / 2], { dtype: 'f16', device });
      fillNormal({ x: bits }, { seed: name.length });
      using elements = bits.viewAs(dtype);
      inputs[name] = elements.reshape(...shape);
    } else {
      inputs[name] = fromArray(drawInput(opCase, name, shape, dtype, 1).values, shape, { dtype, device });
    }
  }
  return inputs;
}
