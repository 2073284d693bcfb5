// A small seeded generator, so that every run and every machine sees the same workload.

/** Numbers in [0, 1), the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let bits = Math.imul(state ^ (state >>> 16), 0x21f0aaad) >>> 0;
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97) >>> 0;
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Numbers whose logarithm is normally distributed around that of `median`. */
export function logNormal(random: () => number, median: number, deviation: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(deviation * normal);
}
