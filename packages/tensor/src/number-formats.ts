// Conversions between f32 and the narrow float formats, on whole arrays. All round to nearest, ties to even.

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** Bits of the bf16 value nearest to `value`. NaN stays NaN. */
export function toBFloat16Bits(value: number): number {
  float[0] = value;
  const bits = word[0] ?? 0;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The value of bf16 bits. */
export function fromBFloat16Bits(bits: number): number {
  word[0] = bits << 16;
  return float[0] ?? 0;
}

/** Bits of the f16 value nearest to `value`; overflow gives infinity. */
export function toFloat16Bits(value: number): number {
  float[0] = value;
  const bits = word[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: let f32 addition do the rounding against a constant that aligns the last f16 bit with the last f32 bit.
    word[0] = magnitude;
    const shifted = Math.fround((float[0] ?? 0) + 0.5);
    float[0] = shifted;
    return sign | ((word[0] ?? 0) - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** The value of f16 bits. */
export function fromFloat16Bits(bits: number): number {
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Bits of the e4m3 value nearest to `value`; values beyond ±448 saturate, NaN stays NaN. */
export function toFloat8Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7f;
  const sign = value < 0 || Object.is(value, -0) ? 0x80 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 464) return sign | 0x7e;
  const exponent = Math.max(-6, Math.floor(Math.log2(magnitude === 0 ? 2 ** -9 : magnitude)));
  const steps = roundHalfToEven(magnitude / 2 ** (exponent - 3));
  // steps is in 0..16: below 8 the number is subnormal, 16 carries into the next exponent.
  const bits = exponent === -6 && steps < 8 ? steps : ((exponent + 7) << 3) + (steps - 8);
  return sign | Math.min(bits, 0x7e);
}

/** The value of e4m3 bits. */
export function fromFloat8Bits(bits: number): number {
  const exponent = (bits >>> 3) & 0xf;
  const fraction = bits & 7;
  const sign = bits & 0x80 ? -1 : 1;
  if (exponent === 0xf && fraction === 7) return NaN;
  return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (1 + fraction / 8) * 2 ** (exponent - 7);
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

let halfTable: Float32Array | undefined;
let quarterTable: Float32Array | undefined;

/** All 65,536 f16 values: a table look-up is far quicker than arithmetic per element. */
function float16Values(): Float32Array {
  return (halfTable ??= Float32Array.from({ length: 65536 }, (_, bits) => fromFloat16Bits(bits)));
}

function float8Values(): Float32Array {
  return (quarterTable ??= Float32Array.from({ length: 256 }, (_, bits) => fromFloat8Bits(bits)));
}

/** Widens bf16 bits to f32. */
export function decodeBFloat16(bits: Uint16Array, target = new Float32Array(bits.length)): Float32Array {
  const words = new Uint32Array(target.buffer, target.byteOffset, bits.length);
  for (let index = 0; index < bits.length; index++) words[index] = (bits[index] ?? 0) << 16;
  return target;
}

/** Rounds f32 to bf16 bits. */
export function encodeBFloat16(values: Float32Array, target = new Uint16Array(values.length)): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < words.length; index++) {
    const bits = words[index] ?? 0;
    target[index] =
      (bits & 0x7fffffff) > 0x7f800000 ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return target;
}

/** Widens f16 bits to f32. */
export function decodeFloat16(bits: Uint16Array, target = new Float32Array(bits.length)): Float32Array {
  const values = float16Values();
  for (let index = 0; index < bits.length; index++) target[index] = values[bits[index] ?? 0] ?? 0;
  return target;
}

/** Rounds f32 to f16 bits. */
export function encodeFloat16(values: Float32Array, target = new Uint16Array(values.length)): Uint16Array {
  for (let index = 0; index < values.length; index++) target[index] = toFloat16Bits(values[index] ?? 0);
  return target;
}

/** Widens e4m3 bits to f32. */
export function decodeFloat8(bits: Uint8Array, target = new Float32Array(bits.length)): Float32Array {
  const values = float8Values();
  for (let index = 0; index < bits.length; index++) target[index] = values[bits[index] ?? 0] ?? 0;
  return target;
}

/** Rounds f32 to e4m3 bits, saturating. */
export function encodeFloat8(values: Float32Array, target = new Uint8Array(values.length)): Uint8Array {
  for (let index = 0; index < values.length; index++) target[index] = toFloat8Bits(values[index] ?? 0);
  return target;
}
