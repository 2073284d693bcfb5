// All pages of one memory into another of the same size, whatever the storage formats and layouts of the two.

import { invalidArgument } from '../argument-checks.js';
import { convertPages } from '../ops/convert-pages.js';
import type { PageMemory } from '../page-memory.js';
import { storedPages } from './token-order.js';

const shared = ['layers', 'keyValueHeads', 'headSize', 'pageSize', 'pages'] as const;

/**
 * Stores what `source` holds in the storage format and layout of `target`, page by page: page numbers stay valid.
 *
 * @param source - memory to read
 * @param target - memory to write; the same layers, heads, head size, page size and number of pages
 * @throws {InvalidArgumentError} the memories differ in one of these
 * @throws {DisposedError} a memory was given back
 *
 * @remarks Capture-safe. Op: `convertPages`, twice for each layer. To turn the layout of a memory where it lies, use
 * `swapPageLayoutInPlace` on each of `memory.parts`.
 */
export function convertMemory(source: PageMemory, target: PageMemory): void {
  const different = shared.find((name) => source.options[name] !== target.options[name]);
  if (different !== undefined) {
    throw invalidArgument({
      caller: 'convertMemory',
      argument: 'target',
      problem: `differs in ${different}`,
      expected: String(source.options[different]),
      got: target.options[different],
      fix: 'Create it with the sizes of the source; dtype and layout may differ.',
    });
  }
  for (let layer = 0; layer < source.options.layers; layer++) {
    const [from, to] = [storedPages(source.layer(layer)), storedPages(target.layer(layer))];
    for (const kind of ['keys', 'values'] as const) {
      convertPages({
        source: from[kind].elements,
        sourceScales: from[kind].scales,
        pages: to[kind].elements,
        scales: to[kind].scales,
      });
    }
  }
}
