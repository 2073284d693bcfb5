// Every error of the package: its code, its class, and a text that says what was expected, what came and what to do.

import { DeviceNotAvailableError, DisposedError, LimenError } from '@limen/cuda-kernels';
import { afterEach, describe, expect, test } from 'vitest';

import { empty, fromArray, fromBytes, wrapBytes, zeros } from './create.js';
import { defineOp } from './define-op.js';
import { CaptureViolationError } from './errors/capture-violation-error.js';
import { DeviceMismatchError } from './errors/device-mismatch-error.js';
import { InvalidArgumentError } from './errors/invalid-argument-error.js';
import { LayoutError } from './errors/layout-error.js';
import { OutOfMemoryError } from './errors/out-of-memory-error.js';
import { ShapeMismatchError } from './errors/shape-mismatch-error.js';
import { UnknownDeviceError } from './errors/unknown-device-error.js';
import { UnsupportedDTypeError } from './errors/unsupported-dtype-error.js';
import { setMemoryBudget } from './memory.js';
import { gelu } from './ops/gelu.js';
import { rmsNorm } from './ops/rms-norm.js';
import { record } from './record.js';
import { Scope } from './scope.js';
import { leakReport, Storage } from './storage.js';
import { Tensor } from './tensor.js';
import { cudaUnavailable } from './testing/gpu.js';
import { read, readBytes, write } from './transfer.js';

let scope = new Scope();
afterEach(() => {
  scope[Symbol.dispose]();
  scope = new Scope();
});

const own = (tensor: Tensor) => scope.own(tensor);
const tensor = (...shape: number[]) => own(zeros(shape));
const gapped = () => own(tensor(4, 6).slice(1, 0, 3));
const elsewhere = () => {
  const allocation = { address: 4096, byteLength: 16, release: () => undefined };
  return own(new Tensor(new Storage('cuda:7', allocation), 'f32', [4]));
};
const disposed = () => {
  const gone = zeros([4]);
  gone.dispose();
  return gone;
};

function thrownBy(action: () => unknown): LimenError {
  try {
    action();
  } catch (error) {
    if (LimenError.isInstance(error)) return error;
    throw error;
  }
  throw new LimenError('NOTHING_THROWN', 'the call went through.');
}

// `<what>: <argument> <problem>: expected <X>, got <Y>. <what to do>`, then a line for each tensor of the call.
const grammar = /^\S[^\n]*: expected [^\n]+, got [^\n]+\. [A-Z][^\n]+[.)](\n {2}\S.*)*$/;

const untyped = defineOp({
  name: 'untyped',
  inputs: { ids: { shape: ['N'], dtype: ['f32'] } },
  outputs: { y: { shape: ['N'] } },
  dtypes: ['f32'],
  kernel: 'untyped',
  source: 'none',
  reference: () => undefined,
});
const unbound = defineOp({
  name: 'unbound',
  inputs: { x: { shape: ['N'] } },
  outputs: { y: { shape: ['N', 'M'] } },
  dtypes: ['f32'],
  kernel: 'unbound',
  source: 'none',
  reference: () => undefined,
});
const norm = rmsNorm as unknown as (inputs: object, options?: object) => Tensor;

const cases: readonly [string, string, abstract new (...values: never[]) => LimenError, () => unknown][] = [
  [
    'a weight of another size',
    'SHAPE_MISMATCH',
    ShapeMismatchError,
    () => norm({ x: tensor(2, 8), weight: tensor(7) }),
  ],
  ['an input that is missing', 'SHAPE_MISMATCH', ShapeMismatchError, () => norm({ x: tensor(2, 8) })],
  ['an input that does not exist', 'SHAPE_MISMATCH', ShapeMismatchError, () => norm({ x: tensor(8), bias: tensor(8) })],
  ['an out of another shape', 'SHAPE_MISMATCH', ShapeMismatchError, () => gelu({ x: tensor(8) }, { out: tensor(4) })],
  ['an axis out of range', 'SHAPE_MISMATCH', ShapeMismatchError, () => tensor(2, 3).transpose(0, 2)],
  ['a slice out of range', 'SHAPE_MISMATCH', ShapeMismatchError, () => tensor(2, 3).slice(1, 1, 4)],
  ['a reshape to another size', 'SHAPE_MISMATCH', ShapeMismatchError, () => tensor(2, 3).reshape(4, 2)],
  ['squeezing a long axis', 'SHAPE_MISMATCH', ShapeMismatchError, () => tensor(2, 3).squeeze(0)],
  ['unflattening into a wrong product', 'SHAPE_MISMATCH', ShapeMismatchError, () => tensor(2, 3).unflatten(1, 2, 2)],
  ['a negative size', 'SHAPE_MISMATCH', ShapeMismatchError, () => empty([2, -1])],
  ['too few values', 'SHAPE_MISMATCH', ShapeMismatchError, () => fromArray([1, 2, 3], [2, 2])],
  ['too few bytes', 'SHAPE_MISMATCH', ShapeMismatchError, () => fromBytes(new Uint8Array(7), [2])],
  [
    'bytes that are not aligned',
    'SHAPE_MISMATCH',
    ShapeMismatchError,
    () => wrapBytes(new Uint8Array(9).subarray(1), [2], 'f32'),
  ],
  ['writing too few values', 'SHAPE_MISMATCH', ShapeMismatchError, () => write(tensor(4), [1])],
  ['writing into gaps', 'SHAPE_MISMATCH', ShapeMismatchError, () => write(gapped(), new Float32Array(12))],
  [
    'a declaration with a size that nothing binds',
    'SHAPE_MISMATCH',
    ShapeMismatchError,
    () => unbound({ x: tensor(4) }),
  ],
  [
    'an input of another type',
    'UNSUPPORTED_DTYPE',
    UnsupportedDTypeError,
    () => gelu({ x: own(zeros([4], { dtype: 'i32' })) }),
  ],
  [
    'a type that does not exist',
    'UNSUPPORTED_DTYPE',
    UnsupportedDTypeError,
    () => empty([1], { dtype: 'f31' as 'f32' }),
  ],
  [
    'wrapping as a type that does not exist',
    'UNSUPPORTED_DTYPE',
    UnsupportedDTypeError,
    () => wrapBytes(new Uint8Array(4), [1], 'f31' as 'f32'),
  ],
  ['gaps where an op takes none', 'LAYOUT', LayoutError, () => gelu({ x: gapped() })],
  ['reshaping a view with gaps', 'LAYOUT', LayoutError, () => gapped().reshape(12)],
  ['tensors on two devices', 'DEVICE_MISMATCH', DeviceMismatchError, () => norm({ x: tensor(4), weight: elsewhere() })],
  [
    'an option that does not exist',
    'INVALID_ARGUMENT',
    InvalidArgumentError,
    () => norm({ x: tensor(8), weight: tensor(8) }, { epsilon: 1 }),
  ],
  [
    'an option of another kind',
    'INVALID_ARGUMENT',
    InvalidArgumentError,
    () => norm({ x: tensor(8), weight: tensor(8) }, { eps: '1' }),
  ],
  [
    'a word that is no choice',
    'INVALID_ARGUMENT',
    InvalidArgumentError,
    () => gelu({ x: tensor(8) }, { approximation: 'erf' as 'tanh' }),
  ],
  ['a budget of nothing', 'INVALID_ARGUMENT', InvalidArgumentError, () => setMemoryBudget('cpu', 0)],
  [
    'a declaration whose output has no type',
    'INVALID_ARGUMENT',
    InvalidArgumentError,
    () => untyped({ ids: tensor(4) }),
  ],
  ['a device of another make', 'UNKNOWN_DEVICE', UnknownDeviceError, () => empty([1], { device: 'tpu' })],
];

describe('an error', () => {
  test.each(cases)('about %s has the code %s and says what to do', (_title, code, type, action) => {
    const error = thrownBy(action);
    expect(error).toBeInstanceOf(type);
    expect(error.code).toBe(code);
    expect(error.name).toBe(type.name);
    expect(error.message).toMatch(grammar);
  });

  test('of an op names the op and the argument as data and describes every tensor', () => {
    const error = thrownBy(() => norm({ x: tensor(2, 8), weight: tensor(7) }));
    expect(error.details).toEqual({ op: 'rmsNorm', argument: 'weight' });
    expect(error.message.split('\n').slice(1)).toEqual(['  x       f32[2, 8] cpu', '  weight  f32[7] cpu']);
  });

  test('is recognised by its mark, also when another copy of the package threw it', () => {
    expect(LimenError.isInstance(Object.assign(new Error('x'), { [Symbol.for('limen.error')]: true }))).toBe(true);
    expect(LimenError.isInstance(new Error('x'))).toBe(false);
  });

  test('leaves no tensor behind that the call had made', () => {
    const before = leakReport().length;
    thrownBy(() => fromBytes(new Uint8Array(7), [2]));
    thrownBy(() => record('cpu', () => void fromArray([1], [1])));
    thrownBy(() => record('cpu', () => void record('cpu', () => undefined)));
    expect(leakReport().length).toBe(before);
  });
});

describe('a tensor after dispose', () => {
  test.each<[string, () => unknown]>([
    ['an op', () => gelu({ x: disposed() })],
    ['an out', () => gelu({ x: tensor(4) }, { out: disposed() })],
    ['a view', () => disposed().slice(0, 0, 1)],
    ['its storage', () => disposed().storage],
  ])('is refused by %s with DISPOSED and the way to keep it', (_title, action) => {
    const error = thrownBy(action);
    expect(error).toBeInstanceOf(DisposedError);
    expect(error.code).toBe('DISPOSED');
    expect(error.message).toMatch(
      /^tensor f32\[4\] cpu was used after it had been disposed\. Keep it alive .+ or clone it\.$/,
    );
  });
});

describe('a capture', () => {
  const refusal = (what: string) =>
    `${what} cannot be recorded: a capture is under way on cpu. Do it before the capture, into a static input.`;

  test.each<[string, () => unknown]>([
    ['copying from the host', () => fromArray([1], [1])],
    ['starting another capture', () => record('cpu', () => undefined)],
  ])('refuses %s with CAPTURE_VIOLATION', (what, action) => {
    const error = thrownBy(() => record('cpu', () => void action()));
    expect(error).toBeInstanceOf(CaptureViolationError);
    expect(error).toMatchObject({ code: 'CAPTURE_VIOLATION', message: refusal(what) });
  });

  test('refuses reading with CAPTURE_VIOLATION', async () => {
    const x = tensor(1);
    let reading: Promise<unknown> = Promise.resolve();
    record('cpu', () => void (reading = readBytes(x)))[Symbol.dispose]();
    await expect(reading).rejects.toMatchObject({ code: 'CAPTURE_VIOLATION', message: refusal('reading a tensor') });
  });
});

describe('memory', () => {
  test('that cannot be had is OUT_OF_MEMORY with what was needed', () => {
    const error = thrownBy(() => empty([2 ** 45]));
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(error.code).toBe('OUT_OF_MEMORY');
    expect(error.details).toMatchObject({ device: 'cpu', needBytes: 2 ** 47 });
    expect(error.message).toMatch(
      /^cpu: out of memory: need 134217728\.0 MiB, .+\. Dispose tensors, use a smaller batch/,
    );
  });
});

describe('a GPU', () => {
  test.skipIf(cudaUnavailable() === undefined)('that is not there is DEVICE_NOT_AVAILABLE with the reason', () => {
    const error = thrownBy(() => empty([1], { device: 'cuda' }));
    expect(error).toBeInstanceOf(DeviceNotAvailableError);
    expect(error.code).toBe('DEVICE_NOT_AVAILABLE');
    expect(error.message).toMatch(
      /^cuda:0 is not available: .+\. Run `limen doctor` for details, or use device 'cpu'\.$/,
    );
  });

  test('storage has no host memory to read', async () => {
    expect(thrownBy(() => elsewhere().storage.bytes).code).toBe('DISPOSED');
    await expect(read(disposed())).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
