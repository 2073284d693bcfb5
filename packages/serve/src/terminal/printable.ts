// Words of a model on a terminal: what it says may hold control characters, which a terminal would obey.

/** The text without control characters, but with its line breaks and tabs. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/** Writes words to standard output; made printable when that is a terminal, as they are when it is a file. */
export function writeWords(text: string): void {
  process.stdout.write(process.stdout.isTTY ? printable(text) : text);
}
