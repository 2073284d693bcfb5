// The layers of a Llama decoder for one token of each sequence, composed of the references of other ops.

import { attentionAppendPaged } from '@limen/kv-cache';
import { type ContractProblem, type HostArray, linear, rmsNorm, siluMul, type Sizes } from '@limen/tensor';

/** What the ops over layers take, as their references see it; weights widened to floats. */
export interface LayersArrays {
  readonly x: HostArray;
  readonly attentionNorm: HostArray;
  readonly queryKeyValue: HostArray;
  readonly output: HostArray;
  readonly mlpNorm: HostArray;
  readonly gateUp: HostArray;
  readonly down: HostArray;
  readonly keyPages: HostArray;
  readonly valuePages: HostArray;
  readonly pageTable: HostArray<Int32Array>;
  readonly positions: HostArray<Int32Array>;
  readonly lengths: HostArray<Int32Array>;
  readonly rotaryPositions: HostArray<Int32Array> | undefined;
  readonly y: HostArray;
}

/** Attributes of the ops over layers. */
export interface LayersAttributes {
  readonly epsilon: number;
  readonly base: number;
}

/** Inputs of both ops behind the weights: pages of all layers, and what belongs to the new token of each sequence. */
export const cacheInputs = {
  keyPages: { shape: ['L', 'G', 'P', 'H', 'D'], layout: 'rows', mutated: true },
  valuePages: { shape: ['L', 'G', 'P', 'H', 'D'], layout: 'rows', mutated: true },
  pageTable: { shape: ['B', 'M'], dtype: ['i32'] },
  positions: { shape: ['B'], dtype: ['i32'] },
  lengths: { shape: ['B'], dtype: ['i32'] },
  rotaryPositions: { shape: ['B'], dtype: ['i32'], optional: true },
} as const;

/** Clauses beyond the shapes. */
export function checkLayers(sizes: Sizes): ContractProblem | undefined {
  const [heads, headSize, width, feedForward] = [sizes.get('H'), sizes.get('D'), sizes.get('W'), sizes.get('F')];
  const problem = (argument: string, expected: string, got: number) => ({ argument, expected, got: String(got) });
  if (headSize % 2 !== 0 || headSize > 256) return problem('keyPages', 'an even head size up to 256', headSize);
  if (width !== heads * headSize) return problem('output', `${heads * headSize} columns, as the heads have`, width);
  if (sizes.get('N') !== 3 * width) {
    return problem('queryKeyValue', `${3 * width} rows: queries, keys, values`, sizes.get('N'));
  }
  if (sizes.get('U') !== 2 * feedForward) {
    return problem('gateUp', `${2 * feedForward} rows: gates and ups`, sizes.get('U'));
  }
  return undefined;
}

/** Runs the layers. Pages are written where they are. */
export function runLayers(arrays: LayersArrays, { epsilon, base }: LayersAttributes): void {
  const { keyPages, x, y, lengths, positions } = arrays;
  const [layers = 0, pages = 0, pageSize = 0, heads = 0, headSize = 0] = keyPages.shape;
  const [batch = 0, channels = 0] = x.shape;
  const width = heads * headSize;
  const feedForward = arrays.down.shape[2] ?? 0;
  const hidden = { data: x.data.slice(), shape: x.shape };
  for (let layer = 0; layer < layers; layer++) {
    const part = (stack: HostArray) => layerOf(stack, layer);
    const project = (input: HostArray, weight: HostArray, columns: number, residual?: HostArray) => {
      const result = blank(batch, columns);
      const inputs = { x: input, weight: part(weight), bias: undefined, residual, y: result };
      linear.declaration.reference(inputs, { activation: 'none', constantWeight: false });
      return result;
    };
    const normed = (input: HostArray, weight: HostArray) => {
      const result = blank(batch, channels);
      rmsNorm.declaration.reference(
        { x: input, weight: part(weight), y: result },
        { eps: epsilon, castBeforeWeight: false },
      );
      return result;
    };
    const vectors = project(normed(hidden, arrays.attentionNorm), arrays.queryKeyValue, 3 * width);
    const cut = (kind: number) => {
      const data = new Float32Array(batch * width);
      for (let row = 0; row < batch; row++) {
        const start = (3 * row + kind) * width;
        data.set(vectors.data.subarray(start, start + width), row * width);
      }
      return { data, shape: [batch, heads, headSize] };
    };
    const attended = { data: new Float32Array(batch * width), shape: [batch, heads, headSize] };
    const inLayer = { keyPages: part(keyPages), valuePages: part(arrays.valuePages) };
    // A token that is not stored is seen all the same: it attends over pages of its own.
    const scratch = new LastTokens(arrays, inLayer, pageSize, pages);
    attentionAppendPaged.declaration.reference(
      {
        ...scratch.pages,
        q: cut(0),
        k: cut(1),
        v: cut(2),
        pageTable: scratch.pageTable,
        positions: scratch.positions,
        lengths,
        rotaryPositions: arrays.rotaryPositions ?? positions,
        prefixLengths: undefined,
        y: attended,
      },
      { rotary: 'half', base, rotaryDimensions: 0, scale: 0, window: 0, sinks: 0, settledCache: false },
    );
    scratch.keepStored();
    const middle = project({ data: attended.data, shape: [batch, width] }, arrays.output, channels, hidden);
    const projected = project(normed(middle, arrays.mlpNorm), arrays.gateUp, 2 * feedForward);
    const active = blank(batch, feedForward);
    siluMul.declaration.reference({ x: projected, y: active }, {});
    hidden.data.set(project(active, arrays.down, channels, middle).data);
  }
  y.data.set(hidden.data);
}

function blank(rows: number, columns: number): HostArray {
  return { data: new Float32Array(rows * columns), shape: [rows, columns] };
}

/** One layer of a stack; shares its memory. */
function layerOf({ data, shape: [, ...shape] }: HostArray, layer: number): HostArray {
  const size = shape.reduce((product, extent) => product * extent, 1);
  return { data: data.subarray(layer * size, (layer + 1) * size), shape };
}

/** The pages of a layer, and behind them pages of its own for every row whose token is not stored. */
class LastTokens {
  readonly pages: { keyPages: HostArray; valuePages: HostArray };
  readonly pageTable: HostArray<Int32Array>;
  readonly positions: HostArray<Int32Array>;
  readonly #stored: { keyPages: HostArray; valuePages: HostArray };

  constructor(
    { pageTable, positions, lengths }: LayersArrays,
    stored: { keyPages: HostArray; valuePages: HostArray },
    pageSize: number,
    pages: number,
  ) {
    const [batch = 0, columns = 0] = pageTable.shape;
    this.#stored = stored;
    const grown = ({ data, shape: [, ...rest] }: HostArray) => {
      const sizeOfPage = rest.reduce((product, extent) => product * extent, 1);
      const all = new Float32Array((pages + batch) * sizeOfPage);
      all.set(data);
      return { data: all, shape: [pages + batch, ...rest] };
    };
    this.pages = { keyPages: grown(stored.keyPages), valuePages: grown(stored.valuePages) };
    this.pageTable = { data: pageTable.data.slice(), shape: pageTable.shape };
    this.positions = { data: positions.data.slice(), shape: positions.shape };
    for (let row = 0; row < batch; row++) {
      const length = lengths.data[row] ?? 0;
      if ((positions.data[row] ?? 0) >= 0 || length === 0) continue;
      const last = length - 1;
      const place = row * columns + Math.floor(last / pageSize);
      this.#copyPage(pageTable.data[place] ?? 0, pages + row);
      this.pageTable.data[place] = pages + row;
      this.positions.data[row] = last;
    }
  }

  /** Writes back what belongs to the layer. */
  keepStored(): void {
    for (const kind of ['keyPages', 'valuePages'] as const) {
      const { data } = this.#stored[kind];
      data.set(this.pages[kind].data.subarray(0, data.length));
    }
  }

  #copyPage(from: number, to: number): void {
    for (const { data, shape } of Object.values(this.pages)) {
      const size = data.length / (shape[0] ?? 1);
      data.copyWithin(to * size, from * size, (from + 1) * size);
    }
  }
}
