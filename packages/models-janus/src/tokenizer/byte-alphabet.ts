// Byte-level vocabularies spell each byte as one printable character (GPT-2's table): printable Latin-1 characters stand
// for themselves, the other bytes for U+0100 and on.

const characters: readonly string[] = (() => {
  const table: string[] = [];
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    table.push(String.fromCharCode(printable ? byte : next++));
  }
  return table;
})();

const bytes: ReadonlyMap<string, number> = new Map(characters.map((character, byte) => [character, byte]));

/** The character that stands for a byte. */
export function characterOfByte(byte: number): string {
  return characters[byte] ?? '';
}

/** The bytes that a token spells; undefined if a character stands for no byte. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const result = new Uint8Array(token.length);
  for (let index = 0; index < token.length; index++) {
    const byte = bytes.get(token.charAt(index));
    if (byte === undefined) return undefined;
    result[index] = byte;
  }
  return result;
}
