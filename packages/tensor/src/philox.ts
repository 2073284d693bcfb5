// Philox4x32 with 10 rounds: random numbers as a pure function of key and counter. The CUDA twin is
// native/device/philox.cuh of @limen/cuda-kernels; both give the same bits.

/** Four 32-bit words, each an integer in `[0, 2^32)`. */
export type FourWords = readonly [number, number, number, number];

/** Upper 32 bits of the product of two 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // Every product and sum below stays under 2^53, so plain numbers are exact.
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000);
  const cross = aLow * bHigh + (middle % 0x10000);
  return aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000);
}

/**
 * The random words of one counter.
 *
 * @param counter - four 32-bit words; any integers, taken modulo 2^32
 * @param key - two 32-bit words; any integers, taken modulo 2^32
 * @returns four words, each uniform in `[0, 2^32)`
 *
 * @remarks Not for cryptography. Source: Salmon et al., “Parallel random numbers: as easy as 1, 2, 3”, SC 2011,
 * https://doi.org/10.1145/2063384.2063405.
 */
export function philox4x32(counter: FourWords, key: readonly [number, number]): FourWords {
  let a = counter[0] >>> 0;
  let b = counter[1] >>> 0;
  let c = counter[2] >>> 0;
  let d = counter[3] >>> 0;
  let key0 = key[0] >>> 0;
  let key1 = key[1] >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, a);
    const low0 = Math.imul(0xd2511f53, a) >>> 0;
    const high1 = multiplyHigh(0xcd9e8d57, c);
    const low1 = Math.imul(0xcd9e8d57, c) >>> 0;
    [a, b, c, d] = [(high1 ^ b ^ key0) >>> 0, low1, (high0 ^ d ^ key1) >>> 0, low0];
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  return [a, b, c, d];
}
