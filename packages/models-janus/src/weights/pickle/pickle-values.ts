// What a restricted pickle can build: plain data, and references that torch's rebuild functions turn into tensors.

import type { StoredDType } from '@limen/tensor';

/** A Python tuple or list. */
export class PickleSequence {
  constructor(
    readonly kind: 'tuple' | 'list',
    readonly items: PickleValue[],
  ) {}
}

/** A class or function that the pickle names. Only {@link allowedGlobals} exist. */
export class PickleGlobal {
  constructor(
    readonly name: string,
    readonly role: 'rebuild-tensor' | 'rebuild-parameter' | 'ordered-dictionary' | 'storage',
    readonly dtype?: StoredDType,
  ) {}
}

/** A run of elements kept in an entry of its own. */
export class PickleStorage {
  constructor(
    readonly key: string,
    readonly dtype: StoredDType,
    readonly elements: number,
  ) {}
}

/** A view of a storage. */
export class PickleTensor {
  constructor(
    readonly storage: PickleStorage,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** A Python dict or OrderedDict. */
export type PickleDictionary = Map<string | number, PickleValue>;

/** Any value on the pickle machine's stack. */
export type PickleValue =
  null | boolean | number | string | PickleSequence | PickleGlobal | PickleStorage | PickleTensor | PickleDictionary;

const storage = (name: string, dtype: StoredDType) => new PickleGlobal(name, 'storage', dtype);

/** Everything a pickle may name; the whole defence rests on nothing being added here that can run code. */
export const allowedGlobals: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    new PickleGlobal('torch._utils _rebuild_tensor_v2', 'rebuild-tensor'),
    new PickleGlobal('torch._utils _rebuild_parameter', 'rebuild-parameter'),
    new PickleGlobal('collections OrderedDict', 'ordered-dictionary'),
    storage('torch FloatStorage', 'f32'),
    storage('torch HalfStorage', 'f16'),
    storage('torch BFloat16Storage', 'bf16'),
    storage('torch IntStorage', 'i32'),
    storage('torch CharStorage', 'i8'),
    storage('torch ByteStorage', 'u8'),
    storage('torch LongStorage', 'i64'),
    storage('torch ShortStorage', 'i16'),
    storage('torch DoubleStorage', 'f64'),
    storage('torch BoolStorage', 'bool'),
  ].map((entry) => [entry.name, entry]),
);
