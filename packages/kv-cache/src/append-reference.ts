// What the two append ops share: the rotation of queries and keys, and which slot a token goes to.

import { checkRotary, type ContractProblem, type HostArray, rotaryAngle, type Sizes } from '@limen/tensor';

/** Head sizes above this have no kernel. */
const largestHeadSize = 256;

/** Attributes of an append. */
export interface AppendAttributes {
  readonly rotary: string;
  readonly base: number;
  readonly rotaryDimensions: number;
}

/** Clauses beyond the shapes. */
export function checkAppend(
  sizes: Sizes,
  { rotary, rotaryDimensions }: Readonly<Record<string, unknown>>,
): ContractProblem | undefined {
  const headSize = sizes.get('D');
  if (headSize > largestHeadSize) return { argument: 'k', expected: `D ≤ ${largestHeadSize}`, got: String(headSize) };
  return rotary === 'none' ? undefined : checkRotary(sizes, Number(rotaryDimensions));
}

/** `x [B, T, heads, D]` turned by the angles of its tokens, as ropeHalf and ropeInterleaved do it. */
export function rotated(
  x: HostArray,
  positions: HostArray<Int32Array>,
  { rotary, base, rotaryDimensions }: AppendAttributes,
): Float32Array {
  const turned = x.data.slice();
  if (rotary === 'none') return turned;
  const [, , heads = 0, channels = 0] = x.shape;
  const dimensions = rotaryDimensions === 0 ? channels : rotaryDimensions;
  for (const [token, position] of positions.data.entries()) {
    for (let pair = 0; pair < dimensions / 2; pair++) {
      const angle = rotaryAngle(position, pair, base, dimensions);
      for (let head = 0; head < heads; head++) {
        const start = (token * heads + head) * channels;
        const [first, second] =
          rotary === 'half' ? [start + pair, start + pair + dimensions / 2] : [start + 2 * pair, start + 2 * pair + 1];
        const [a, b] = [turned[first] ?? 0, turned[second] ?? 0];
        turned[first] = a * Math.cos(angle) - b * Math.sin(angle);
        turned[second] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
  }
  return turned;
}

/** Calls `visit` with the page and slot of every token that is to be stored. */
export function forEachSlot(
  positions: HostArray<Int32Array>,
  pageTable: HostArray<Int32Array>,
  { pages, pageSize }: { readonly pages: number; readonly pageSize: number },
  visit: (token: number, page: number, slot: number) => void,
): void {
  const [, tokens = 0] = positions.shape;
  const [, pagesPerSequence = 0] = pageTable.shape;
  for (const [token, position] of positions.data.entries()) {
    const place = Math.floor(position / pageSize);
    if (position < 0 || place >= pagesPerSequence) continue;
    const page = pageTable.data[Math.floor(token / tokens) * pagesPerSequence + place] ?? -1;
    if (page >= 0 && page < pages) visit(token, page, position % pageSize);
  }
}
