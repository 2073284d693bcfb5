// Turns the arguments of torch's rebuild functions into views, and views into bytes. A view must lie inside its storage.

import { TorchFileError } from '../../errors/torch-file-error.js';
import { PickleSequence, PickleStorage, PickleTensor, type PickleValue } from './pickle-values.js';

const largestRank = 8;

/** `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata])`. */
export function rebuildTensor(values: readonly PickleValue[], file: string): PickleTensor {
  const [storage, offset, size, stride] = values;
  if (values.length < 6 || values.length > 7 || !(storage instanceof PickleStorage))
    return invalid(file, 'a tensor has no storage');
  const shape = numbersOf(size, file);
  const strides = numbersOf(stride, file);
  if (shape.length !== strides.length || shape.length > largestRank)
    invalid(file, `a view has bad axes: sizes [${shape}], strides [${strides}]`);
  if (!isCount(offset)) return invalid(file, 'a view has a bad offset');
  const elements = shape.reduce((product, extent) => product * extent, 1);
  const last = shape.reduce((sum, extent, axis) => sum + (extent - 1) * (strides[axis] ?? 0), offset);
  // A view that repeats elements could claim any size; a checkpoint has no use for one, so it may not exceed its storage.
  if (elements > 0 && !(elements <= storage.elements && last < storage.elements)) {
    invalid(
      file,
      `a view leaves its storage: offset ${offset}, sizes [${shape}], strides [${strides}] of ${storage.elements} elements`,
    );
  }
  if (elements === 0 && offset > storage.elements) invalid(file, 'a view begins beyond its storage');
  return new PickleTensor(storage, offset, shape, strides);
}

/** `torch._utils._rebuild_parameter(data, requires_grad, hooks)`. */
export function tensorOfParameter(values: readonly PickleValue[], file: string): PickleTensor {
  const [data] = values;
  return values.length === 3 && data instanceof PickleTensor ? data : invalid(file, 'a parameter has no tensor');
}

/** Whether a view's elements lie in row-major order without gaps. */
export function isDense(tensor: PickleTensor): boolean {
  let expected = 1;
  for (let axis = tensor.shape.length - 1; axis >= 0; axis--) {
    const extent = tensor.shape[axis] ?? 1;
    if (extent === 0) return true;
    if (extent !== 1 && tensor.strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
}

/**
 * Copies a strided view into row-major order.
 *
 * @param source - the bytes of the whole storage
 * @param elementBytes - bytes per element
 */
export function gatherView(tensor: PickleTensor, source: Uint8Array, elementBytes: number): Uint8Array {
  const { shape, strides } = tensor;
  const elements = shape.reduce((product, extent) => product * extent, 1);
  const target = new Uint8Array(elements * elementBytes);
  const index = new Array<number>(shape.length).fill(0);
  let from = tensor.offset;
  for (let element = 0; element < elements; element++) {
    target.set(source.subarray(from * elementBytes, (from + 1) * elementBytes), element * elementBytes);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      from += strides[axis] ?? 0;
      if (next < (shape[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
      from -= next * (strides[axis] ?? 0);
    }
  }
  return target;
}

function numbersOf(value: PickleValue | undefined, file: string): readonly number[] {
  const items = value instanceof PickleSequence ? value.items : invalid(file, 'a view has no sizes');
  return items.map((item) => (isCount(item) ? item : invalid(file, 'a view has a size that is no count')));
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 2 ** 40;
}

function invalid(file: string, problem: string): never {
  throw new TorchFileError('TORCH_VIEW_INVALID', `${file}: ${problem}. The file is damaged or was made to mislead.`, {
    file,
  });
}
