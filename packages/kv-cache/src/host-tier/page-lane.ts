// One lane between page memory and host memory: a side stream and a buffer in device memory, in which pages are
// collected before a copy and spread after one. Its work runs in order; two lanes overlap.

import { openSideStream, Scope, type SideStream, type Tensor, zeros } from '@limen/tensor';

import { gatherPages } from '../ops/gather-pages.js';
import { scatterPages } from '../ops/scatter-pages.js';
import type { PageMemory } from '../page-memory.js';
import type { HostRun } from './host-arena.js';
import type { PageImage } from './page-image.js';

/** Moves pages, up to `pagesAtOnce` of them in one piece. */
export class PageLane implements Disposable {
  readonly stream: SideStream;
  readonly pagesAtOnce: number;
  readonly #scope = new Scope();
  /** u8 `[pagesAtOnce, image bytes]` on the device. */
  readonly #staging: Tensor;
  /** i32 `[pagesAtOnce]` on the device. */
  readonly #numbers: Tensor;
  /** For each part, page memory as bytes `[N, G, row bytes]` and its columns of an image. */
  readonly #parts: readonly { readonly memory: Tensor; readonly columns: Tensor }[];

  /** @throws {OutOfMemoryError} the device has no room for the buffer */
  constructor(memory: PageMemory, image: PageImage, pagesAtOnce: number) {
    const { device } = memory;
    const scope = this.#scope;
    this.pagesAtOnce = pagesAtOnce;
    try {
      this.stream = scope.own(openSideStream(device));
      this.#staging = scope.own(zeros([pagesAtOnce, image.bytes], { dtype: 'u8', device }));
      this.#numbers = scope.own(zeros([pagesAtOnce], { dtype: 'i32', device }));
      this.#parts = image.parts.map(({ offset, rowBytes }, index) => {
        using part = (memory.parts[index] as Tensor).viewAs('u8');
        using columns = this.#staging.slice(1, offset, offset + image.planes * rowBytes);
        return {
          memory: scope.own(part.reshape(image.planes, -1, rowBytes)),
          columns: scope.own(columns.unflatten(1, image.planes, rowBytes)),
        };
      });
    } catch (error) {
      scope[Symbol.dispose]();
      throw error;
    }
  }

  /** Copies the pages that the runs name into the runs' images. Resolves when they are there. */
  collect(runs: readonly HostRun[]): Promise<void> {
    const count = this.#uploadNumbers(runs);
    this.#forEachPart(count, (pages, index, rows) => void gatherPages({ pages, index }, { out: rows }));
    this.#forEachRun(runs, (staging, { images }) => this.stream.download(staging, images));
    return this.stream.reached();
  }

  /** Copies the runs' images into the pages that they name. Resolves when they are there. */
  spread(runs: readonly HostRun[]): Promise<void> {
    const count = this.#uploadNumbers(runs);
    this.#forEachRun(runs, (staging, { images }) => this.stream.upload(staging, images));
    this.#forEachPart(count, (pages, index, rows) => scatterPages({ pages, index, rows }));
    return this.stream.reached();
  }

  [Symbol.dispose](): void {
    this.#scope[Symbol.dispose]();
  }

  #uploadNumbers(runs: readonly HostRun[]): number {
    let first = 0;
    for (const { count, numbers } of runs) {
      using place = this.#numbers.slice(0, first, first + count);
      this.stream.upload(place, numbers);
      first += count;
    }
    return first;
  }

  #forEachPart(count: number, move: (pages: Tensor, index: Tensor, rows: Tensor) => void): void {
    using index = this.#numbers.slice(0, 0, count);
    for (const { memory, columns } of this.#parts) {
      using rows = columns.slice(0, 0, count);
      this.stream.run(() => move(memory, index, rows));
    }
  }

  #forEachRun(runs: readonly HostRun[], move: (staging: Tensor, run: HostRun) => void): void {
    let first = 0;
    for (const run of runs) {
      using staging = this.#staging.slice(0, first, first + run.count);
      move(staging, run);
      first += run.count;
    }
  }
}
