// Learns byte pair merges: again and again the most frequent pair of neighbouring tokens becomes a token. Small and slow,
// which is enough for a few hundred words. Equal counts are decided by the texts of the pairs, so that the result depends
// on the words alone.
// Source: https://arxiv.org/abs/1508.07909

/** A token, spelled in the byte alphabet. */
export type TokenText = string;

export interface Merge {
  readonly left: TokenText;
  readonly right: TokenText;
}

/**
 * Learns merges.
 *
 * @param counts - how often each word occurs; words are spelled in the byte alphabet, one character a byte
 * @param wanted - number of tokens to make
 * @returns merges in the order in which they apply. A few more than `wanted`, since two pairs may spell the same token;
 * fewer if every word has become one token
 */
export function trainBytePairs(counts: ReadonlyMap<string, number>, wanted: number): Merge[] {
  const words = [...counts].map(([word, count]) => ({ tokens: [...word], count }));
  const merges: Merge[] = [];
  const known = new Set<TokenText>();
  for (;;) {
    const best = mostFrequentPair(words);
    if (best === undefined || (known.size === wanted && !known.has(best.left + best.right))) break;
    merges.push(best);
    known.add(best.left + best.right);
    for (const word of words) word.tokens = applyMerge(word.tokens, best);
  }
  return merges;
}

interface CountedPair extends Merge {
  count: number;
}

function mostFrequentPair(
  words: readonly { readonly tokens: readonly TokenText[]; readonly count: number }[],
): Merge | undefined {
  const pairs = new Map<string, CountedPair>();
  for (const { tokens, count } of words) {
    for (let index = 1; index < tokens.length; index++) {
      const [left = '', right = ''] = [tokens[index - 1], tokens[index]];
      // A space is no character of the byte alphabet, so it separates.
      const key = `${left} ${right}`;
      const pair = pairs.get(key);
      if (pair === undefined) pairs.set(key, { left, right, count });
      else pair.count += count;
    }
  }
  let best: CountedPair | undefined;
  let bestKey = '';
  for (const [key, pair] of pairs) {
    if (best !== undefined && (pair.count < best.count || (pair.count === best.count && key > bestKey))) continue;
    [best, bestKey] = [pair, key];
  }
  return best && { left: best.left, right: best.right };
}

function applyMerge(tokens: readonly TokenText[], { left, right }: Merge): TokenText[] {
  const merged: TokenText[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? '';
    if (token === left && tokens[index + 1] === right) {
      merged.push(left + right);
      index++;
    } else {
      merged.push(token);
    }
  }
  return merged;
}
