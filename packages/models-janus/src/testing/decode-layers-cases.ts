// Cases of the ops over layers, which differ in their weights alone.

import type { OpCases, ValueRule } from '@limen/tensor/testing';

const count = (length: number) => Array.from({ length }, (_, index) => index);
/** A fixed disorder, so that a kernel that ignores the table is found out. */
const shuffled = (length: number) => count(length).map((index) => (index * 7 + 3) % length);

interface Sizes {
  readonly layers: number;
  readonly batch: number;
  readonly heads: number;
  readonly headSize: number;
  readonly channels: number;
  readonly feedForward: number;
  readonly pageSize: number;
  readonly columns: number;
}

/** Shapes that follow from sizes. */
function shapesOf({ layers, batch, heads, headSize, channels, feedForward, pageSize, columns }: Sizes) {
  return {
    x: [batch, channels],
    attentionNorm: [layers, channels],
    queryKeyValue: [layers, 3 * heads * headSize, channels],
    output: [layers, channels, heads * headSize],
    gateUp: [layers, 2 * feedForward, channels],
    down: [layers, channels, feedForward],
    keyPages: [layers, batch * columns, pageSize, heads, headSize],
    pageTable: [batch, columns],
  };
}

/**
 * @param weight - values of the four weights, small enough that a few layers do not grow
 * @param scales - values of their scales, where they have them
 */
export function decodeLayersCases(weight: ValueRule, scales?: ValueRule): Omit<OpCases, 'op'> {
  const scaled: Record<string, ValueRule> =
    scales === undefined
      ? {}
      : { queryKeyValueScales: scales, outputScales: scales, gateUpScales: scales, downScales: scales };
  const common: Record<string, ValueRule> = {
    attentionNorm: { low: 0.5, high: 1.5 },
    mlpNorm: { low: 0.5, high: 1.5 },
    queryKeyValue: weight,
    output: weight,
    gateUp: weight,
    down: weight,
    ...scaled,
  };
  /** Sequences of these lengths, all of whose tokens are stored but for those named. */
  const step = (
    sizes: Omit<Sizes, 'batch' | 'columns'>,
    lengths: readonly number[],
    unstored: readonly number[] = [],
  ) => {
    const columns = Math.max(1, ...lengths.map((length) => Math.ceil(length / sizes.pageSize)));
    const shapes = shapesOf({ ...sizes, batch: lengths.length, columns });
    return {
      shapes,
      values: {
        ...common,
        pageTable: shuffled(lengths.length * columns),
        positions: lengths.map((length, row) => (unstored.includes(row) ? -1 : length - 1)),
        lengths: [...lengths],
      },
    };
  };
  const small = { layers: 2, heads: 2, headSize: 32, channels: 128, feedForward: 256, pageSize: 16 };
  const outliers = <Case extends ReturnType<typeof step>>(opCase: Case): Case => {
    const [batch = 0, channels = 0] = opCase.shapes.x;
    const x = count(batch * channels).map((index) => (index % 97 === 5 ? 1000 : Math.sin(index * 1.7)));
    return { ...opCase, values: { ...opCase.values, x } };
  };
  const many = (batch: number) => Array.from({ length: batch }, (_, row) => 1 + ((row * 37) % 90));
  return {
    test: [
      step({ layers: 1, heads: 1, headSize: 2, channels: 1, feedForward: 1, pageSize: 1 }, [1]),
      // Sizes that no block of bytes fits; a token that is not stored; a sequence without keys.
      step({ layers: 2, heads: 3, headSize: 20, channels: 36, feedForward: 41, pageSize: 5 }, [13, 4, 9], [1]),
      // One row, whose heads are shared by several blocks; more keys than a stage holds.
      step(small, [300]),
      { ...step({ ...small, layers: 3 }, [64, 1, 33]), attributes: { epsilon: 1e-2, base: 500 } },
      {
        ...step({ ...small, heads: 4, channels: 384, feedForward: 640 }, many(8), [2]),
        attributes: { base: 10000 },
      },
      // Channels far above the others, which must not cost these their precision.
      outliers(step(small, [70, 12])),
      outliers(step(small, [9, 30, 1, 64])),
      // Heads of 128; pages of a size that is no power of two; more rows than eight and than sixteen.
      step({ layers: 2, heads: 1, headSize: 128, channels: 256, feedForward: 384, pageSize: 48 }, [150, 49]),
      step(small, many(11)),
      step({ ...small, pageSize: 64 }, many(29)),
      // Rows of the weights that cannot be halved evenly.
      step({ ...small, heads: 6, channels: 192, feedForward: 576 }, many(26)),
      // More layers than have scratch at a time.
      step({ ...small, layers: 12 }, [40, 17]),
      step({ ...small, layers: 9 }, many(18)),
      // More rows than the fast way takes.
      step({ ...small, layers: 1 }, many(35)),
    ],
    rejects: [
      {
        ...step(small, [3]),
        shapes: { ...shapesOf({ ...small, batch: 1, columns: 1 }), output: [2, 128, 60] },
        throws: 'SHAPE_MISMATCH',
      },
      {
        ...step(small, [3]),
        shapes: { ...shapesOf({ ...small, batch: 1, columns: 1 }), gateUp: [2, 500, 128] },
        throws: 'SHAPE_MISMATCH',
      },
      { ...step(small, [3]), dtypes: ['f32'], throws: 'UNSUPPORTED_DTYPE' },
    ],
    bench: [step({ layers: 4, heads: 32, headSize: 128, channels: 4096, feedForward: 11008, pageSize: 16 }, [512])],
    // What is rounded to bf16 on the way (before, between and behind the products) makes 0.046 by itself in the case of
    // eight rows, worked out on the host.
    tolerance: { bf16: 0.05 },
  };
}
