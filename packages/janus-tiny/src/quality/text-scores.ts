// Scores of a generated text against a reference: corpus BLEU and ROUGE-L, on lower-case words.

/** Words and punctuation marks, in lower case. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
}

function countGrams(words: readonly string[], length: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let start = 0; start + length <= words.length; start++) {
    const gram = words.slice(start, start + length).join(' ');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** A generated text and what it should be. */
export interface TextPair {
  readonly text: string;
  readonly reference: string;
}

/**
 * BLEU over a corpus: geometric mean of the precisions of 1- to 4-grams, times the brevity penalty.
 *
 * @returns 0 to 1; 0 for no pairs
 * @remarks Source: Papineni et al. 2002, https://aclanthology.org/P02-1040/.
 */
export function bleu(pairs: readonly TextPair[]): number {
  const matched = [0, 0, 0, 0];
  const possible = [0, 0, 0, 0];
  let length = 0;
  let referenceLength = 0;
  for (const { text, reference } of pairs) {
    const words = wordsOf(text);
    const referenceWords = wordsOf(reference);
    length += words.length;
    referenceLength += referenceWords.length;
    for (const order of [0, 1, 2, 3]) {
      const allowed = countGrams(referenceWords, order + 1);
      for (const [gram, count] of countGrams(words, order + 1)) {
        matched[order] = (matched[order] ?? 0) + Math.min(count, allowed.get(gram) ?? 0);
        possible[order] = (possible[order] ?? 0) + count;
      }
    }
  }
  if (length === 0 || matched.includes(0)) return 0;
  const logPrecision = matched.reduce((sum, count, order) => sum + Math.log(count / (possible[order] ?? 1)), 0) / 4;
  return Math.exp(logPrecision + Math.min(0, 1 - referenceLength / length));
}

/**
 * ROUGE-L: harmonic mean of how much of each text lies on their longest common subsequence of words, averaged over pairs.
 *
 * @returns 0 to 1; 0 for no pairs
 * @remarks Source: Lin 2004, https://aclanthology.org/W04-1013/.
 */
export function rougeL(pairs: readonly TextPair[]): number {
  let sum = 0;
  for (const { text, reference } of pairs) {
    const words = wordsOf(text);
    const referenceWords = wordsOf(reference);
    const common = longestCommonSubsequence(words, referenceWords);
    sum += words.length + referenceWords.length === 0 ? 1 : (2 * common) / (words.length + referenceWords.length);
  }
  return pairs.length === 0 ? 0 : sum / pairs.length;
}

function longestCommonSubsequence(first: readonly string[], second: readonly string[]): number {
  let row = new Array<number>(second.length + 1).fill(0);
  for (const word of first) {
    const next = [0];
    for (const [index, other] of second.entries()) {
      next.push(word === other ? (row[index] ?? 0) + 1 : Math.max(row[index + 1] ?? 0, next[index] ?? 0));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
