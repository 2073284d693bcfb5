// JSON is nested only so deep before it is parsed: parsers and validators recurse, and a stack that overflows can end the
// process.

const quote = 0x22;
const backslash = 0x5c;

/** Whether the JSON text in `bytes` nests arrays and objects deeper than `limit`. */
export function isDeeperThan(bytes: Uint8Array, limit: number): boolean {
  let depth = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === quote) {
      index = endOfText(bytes, index + 1);
    } else if (byte === 0x5b || byte === 0x7b) {
      depth++;
      if (depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) {
      depth--;
    }
  }
  return false;
}

// Pictures are one long text each: searching for the quote is much faster than looking at every character.
function endOfText(bytes: Uint8Array, start: number): number {
  for (let from = start; ;) {
    const end = bytes.indexOf(quote, from);
    if (end < 0) return bytes.length;
    let before = end - 1;
    while (before >= start && bytes[before] === backslash) before--;
    if ((end - 1 - before) % 2 === 0) return end;
    from = end + 1;
  }
}
