// Everything a decode step reads and advances, on the device: the host launches steps without knowing their results.

import { affine, appendTokens, fromArray, rawView, readBytes, type Tensor, zeros } from '@limen/tensor';

import { type ResolvedSampling, type SamplingTensors, samplingTensors } from './sampling-options.js';

/** State of a batch that decodes in lockstep. `B` sequences are drawn for, over `R ≥ B` rows of the decoder. */
export class DecodeState implements Disposable {
  /** `[B]` i32: the token drawn last. */
  readonly ids: Tensor;
  /** `[R, 1]` i32: position of the token that the next step feeds. */
  readonly positions: Tensor;
  /** `[R]` i32: keys visible to that token, itself included. */
  readonly lengths: Tensor;
  /** `[R, M]` i32: pages of every row. */
  readonly pageTable: Tensor;
  /** `[B]` i32: tokens drawn so far; also the counter of the random numbers. */
  readonly counters: Tensor;
  /** `[B, L]` i32: every token drawn. */
  readonly history: Tensor;
  readonly sampling: SamplingTensors;

  /**
   * @param lengths - tokens of each row after the prompt
   * @param pageTable - `[R, M]` i32, the state's from now on
   * @param steps - the most tokens that will be drawn
   */
  constructor(lengths: readonly number[], pageTable: Tensor, sampling: readonly ResolvedSampling[], steps: number) {
    const { device } = pageTable;
    const integers = (values: readonly number[], shape: readonly number[]) =>
      fromArray(values, shape, { dtype: 'i32', device });
    const sequences = sampling.length;
    this.ids = zeros([sequences], { dtype: 'i32', device });
    this.positions = integers(lengths, [lengths.length, 1]);
    this.lengths = integers(
      lengths.map((length) => length + 1),
      [lengths.length],
    );
    this.pageTable = pageTable;
    this.counters = zeros([sequences], { dtype: 'i32', device });
    this.history = zeros([sequences, steps], { dtype: 'i32', device });
    this.sampling = samplingTensors(sampling, device);
  }

  /** Keeps the drawn `ids` and counts them. */
  recordDraw(): void {
    appendTokens({ history: this.history, ids: this.ids, counters: this.counters });
    affine({ x: this.counters }, { offset: 1, out: this.counters });
  }

  /** Moves every row to its next position. */
  advance(): void {
    affine({ x: this.positions }, { offset: 1, out: this.positions });
    affine({ x: this.lengths }, { offset: 1, out: this.lengths });
  }

  /** Waits, then returns the whole history, row by row. */
  async readHistory(): Promise<Int32Array> {
    const bytes = await readBytes(this.history);
    return rawView('i32', bytes.buffer, 0, this.history.size) as Int32Array;
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.ids, this.positions, this.lengths, this.pageTable, this.counters, this.history])
      tensor.dispose();
    this.sampling[Symbol.dispose]();
  }
}
