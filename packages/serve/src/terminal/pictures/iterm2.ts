// Pictures by the protocol of iTerm2 (https://iterm2.com/documentation-images.html), which WezTerm and mintty speak too: a
// whole file in one sequence.

/**
 * The bytes that show a picture.
 *
 * @param file - PNG or another format that the terminal knows
 * @param rows - lines of text that it fills; default: its own size
 */
export function iterm2Picture(file: Uint8Array, rows?: number): string {
  const height = rows === undefined ? '' : `;height=${rows};preserveAspectRatio=1`;
  const text = Buffer.from(file.buffer, file.byteOffset, file.byteLength).toString('base64');
  return `\u001b]1337;File=inline=1;size=${file.byteLength}${height}:${text}\u0007`;
}
