// A decode step over a cache that already holds tokens, for benchmarks that time the step alone.

import type { CacheDType, CacheSequence, PagedCache } from '@limen/kv-cache';
import { cacheFor, DecodeState, type JanusPro, textStep } from '@limen/models-janus';
import { empty, fillNormal, fromArray, Scope, write } from '@limen/tensor';

/** A step that may be run up to `steps` times. */
export interface PreparedStep extends Disposable {
  run(): void;
  /** Back to the first position. */
  rewind(): void;
}

/** `batch` sequences with `context` random tokens each, greedy. */
export function prepareStep(
  network: JanusPro,
  kv: CacheDType,
  { batch, context, steps }: { readonly batch: number; readonly context: number; readonly steps: number },
): PreparedStep {
  const scope = new Scope();
  const lengths = new Array<number>(batch).fill(context);
  const cache = scope.own(cacheFor(network, lengths, steps, { dtype: kv }));
  const sequences = lengths.map(() => cache.allocateSequence(context + steps));
  fillCache(network, cache, sequences, context);
  const greedy = { temperature: 0, topK: 0, topP: 1, seed: 0 };
  const sampling = lengths.map(() => greedy);
  const state = scope.own(new DecodeState(lengths, cache.pageTable(sequences), sampling, steps));
  return {
    run: () => textStep(network, cache, state),
    rewind() {
      write(state.positions, lengths);
      write(
        state.lengths,
        lengths.map((length) => length + 1),
      );
      write(
        state.counters,
        lengths.map(() => 0),
      );
    },
    [Symbol.dispose]: () => scope[Symbol.dispose](),
  };
}

/** Random keys and values for the first `tokens` tokens of each sequence. */
function fillCache(network: JanusPro, cache: PagedCache, sequences: readonly CacheSequence[], tokens: number): void {
  const { device } = network;
  const { layers, keyValueHeads, headSize } = cache.shape;
  const shape = [sequences.length, tokens, keyValueHeads, headSize];
  const dtype = cache.dtype === 'f32' || cache.dtype === 'f16' || cache.dtype === 'bf16' ? cache.dtype : network.dtype;
  using pageTable = cache.pageTable(sequences);
  using positions = fromArray(
    sequences.flatMap(() => Array.from({ length: tokens }, (_, position) => position)),
    shape.slice(0, 2),
    { dtype: 'i32', device },
  );
  using k = empty(shape, { dtype, device });
  using v = empty(shape, { dtype, device });
  for (let layer = 0; layer < layers; layer++) {
    fillNormal({ x: k }, { seed: 2 * layer });
    fillNormal({ x: v }, { seed: 2 * layer + 1 });
    cache.append(layer, { k, v, pageTable, positions });
  }
}
