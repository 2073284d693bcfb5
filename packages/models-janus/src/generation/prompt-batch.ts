// Prompts of different lengths as one batch: padded on the right, with what the decoder must know about the padding.

import { fromArray, InvalidArgumentError, type Tensor } from '@limen/tensor';

/** Tensors of a padded batch of prompts. */
export class PromptBatch implements Disposable {
  readonly lengths: readonly number[];
  /** `[B, T]` i32 */
  readonly ids: Tensor;
  /** `[B, T]` i32: 0, 1, 2, … */
  readonly positions: Tensor;
  /** `[B, T]` i32: place of each token in its sequence; -1 for padding, which is not stored. */
  readonly slots: Tensor;
  /** `[B]` i32: tokens of each row. */
  readonly rowLengths: Tensor;
  /** `[B]` i32: index into `B · T` of each row's last token. */
  readonly lastTokens: Tensor;
  /** `[M]` i32: indices into `B · T` of the image placeholders, in order; absent without images. */
  readonly imageIndex: Tensor | undefined;

  /**
   * @param prompts - token ids of each row, not empty
   * @param imageToken - id of the placeholder
   * @throws {InvalidArgumentError} no prompts, or an empty one
   */
  constructor(prompts: readonly (readonly number[])[], imageToken: number, device: string) {
    const lengths = prompts.map((prompt) => prompt.length);
    if (lengths.length === 0 || lengths.includes(0)) {
      throw new InvalidArgumentError(
        `prompt batch: expected at least one prompt of at least one token, got lengths [${lengths.join(', ')}].`,
      );
    }
    const width = Math.max(...lengths);
    const count = prompts.length;
    const cells = <T>(cell: (row: number, column: number) => T) =>
      Array.from({ length: count * width }, (_, index) => cell(Math.floor(index / width), index % width));
    const integers = (values: readonly number[], shape: readonly number[]) =>
      fromArray(values, shape, { dtype: 'i32', device });
    const idAt = (row: number, column: number) => prompts[row]?.[column];

    this.lengths = lengths;
    this.ids = integers(
      cells((row, column) => idAt(row, column) ?? 0),
      [count, width],
    );
    this.positions = integers(
      cells((_, column) => column),
      [count, width],
    );
    this.slots = integers(
      cells((row, column) => (idAt(row, column) === undefined ? -1 : column)),
      [count, width],
    );
    this.rowLengths = integers(lengths, [count]);
    this.lastTokens = integers(
      lengths.map((length, row) => row * width + length - 1),
      [count],
    );
    const images = cells((row, column) => idAt(row, column) === imageToken).flatMap((isImage, index) =>
      isImage ? [index] : [],
    );
    this.imageIndex = images.length === 0 ? undefined : integers(images, [images.length]);
  }

  [Symbol.dispose](): void {
    for (const tensor of [this.ids, this.positions, this.slots, this.rowLengths, this.lastTokens, this.imageIndex])
      tensor?.dispose();
  }
}
