// Makes pickles and stored zip archives byte by byte, for tests of the reader.

type Part = number | string | Uint8Array;

/** Joins opcodes (numbers are bytes, texts are their UTF-8). */
export function pickle(...parts: readonly Part[]): Uint8Array {
  const encoder = new TextEncoder();
  const pieces = parts.map((part) =>
    typeof part === 'number' ? Uint8Array.of(part) : typeof part === 'string' ? encoder.encode(part) : part,
  );
  return joined(pieces);
}

/** A persistent storage id, as torch.save writes it. */
export function floatStorage(key: string, elements: number, type = 'FloatStorage'): Uint8Array {
  return pickle('(', text('storage'), `ctorch\n${type}\n`, text(key), text('cpu'), integer(elements), 't', 'Q');
}

/** A call of `_rebuild_tensor_v2`. */
export function tensor(
  storage: Uint8Array,
  offset: number,
  size: readonly number[],
  stride: readonly number[],
): Uint8Array {
  const tuple = (items: readonly number[]) => pickle('(', ...items.map(integer), 't');
  const hooks = pickle('ccollections\nOrderedDict\n', ')', 'R');
  return pickle(
    'ctorch._utils\n_rebuild_tensor_v2\n',
    '(',
    storage,
    integer(offset),
    tuple(size),
    tuple(stride),
    0x89,
    hooks,
    't',
    'R',
  );
}

/** A whole pickle: one dictionary with the given values. */
export function stateDict(entries: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return pickle(
    0x80,
    2,
    '}',
    '(',
    ...Object.entries(entries).flatMap(([name, value]) => [text(name), value]),
    'u',
    '.',
  );
}

/** An archive as torch.save lays it out. */
export function torchZip(
  data: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
  options: ZipOptions = {},
): Uint8Array {
  const entries = Object.entries(storages).map(([key, bytes]): [string, Uint8Array] => [`a/data/${key}`, bytes]);
  return zip([['a/data.pkl', data], ['a/byteorder', new TextEncoder().encode('little')], ...entries], options);
}

/** How an archive is written. */
export interface ZipOptions {
  /** Compression method that entries claim; 0 is stored. */
  readonly method?: number;
  /** Write sizes and offsets as 64-bit values, as archives above 4 GiB do. */
  readonly wide?: boolean;
}

/** A zip archive of stored entries. */
export function zip(
  entries: readonly (readonly [string, Uint8Array])[],
  { method = 0, wide = false }: ZipOptions = {},
): Uint8Array {
  const files: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, bytes] of entries) {
    const encoded = new TextEncoder().encode(name);
    const sizes = wide ? [0xffffffff, 0xffffffff] : [bytes.byteLength, bytes.byteLength];
    const extra = wide
      ? joined([
          little(2, 1),
          little(2, 24),
          ...[bytes.byteLength, bytes.byteLength, offset].map((value) => little(8, value)),
        ])
      : new Uint8Array(0);
    const common = joined([
      little(2, 0),
      little(2, 0x800),
      little(2, method),
      little(4, 0),
      little(4, 0),
      ...sizes.map((size) => little(4, size)),
      little(2, encoded.byteLength),
    ]);
    const local = joined([little(4, 0x04034b50), common, little(2, 0), encoded, bytes]);
    const where = joined([
      little(2, extra.byteLength),
      little(2, 0),
      little(2, 0),
      little(2, 0),
      little(4, 0),
      little(4, wide ? 0xffffffff : offset),
    ]);
    directory.push(joined([little(4, 0x02014b50), little(2, 0), common, where, encoded, extra]));
    files.push(local);
    offset += local.byteLength;
  }
  const central = joined(directory);
  const count = entries.length;
  const record = joined([
    little(4, 0x06064b50),
    little(8, 44),
    little(8, 0),
    little(4, 0),
    ...[count, count, central.byteLength, offset].map((value) => little(8, value)),
  ]);
  const locator = joined([little(4, 0x07064b50), little(4, 0), little(8, offset + central.byteLength), little(4, 1)]);
  const end = [
    little(4, 0x06054b50),
    little(4, 0),
    little(2, count),
    little(2, count),
    little(4, central.byteLength),
    little(4, offset),
    little(2, 0),
  ];
  return joined([...files, central, ...(wide ? [record, locator] : []), ...end]);
}

/** The bytes of a typed array. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function text(value: string): Uint8Array {
  const encoded = new TextEncoder().encode(value);
  return joined([Uint8Array.of(0x58), little(4, encoded.byteLength), encoded]);
}

function integer(value: number): Uint8Array {
  return joined([Uint8Array.of(0x4a), little(4, value)]);
}

function little(bytes: number, value: number): Uint8Array {
  const target = new Uint8Array(8);
  new DataView(target.buffer).setBigUint64(0, BigInt(value), true);
  return target.slice(0, bytes);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const target = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let position = 0;
  for (const piece of pieces) {
    target.set(piece, position);
    position += piece.byteLength;
  }
  return target;
}
