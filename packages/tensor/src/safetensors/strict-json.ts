// JSON.parse keeps the last of two equal keys and accepts 1e3 for an integer. Where a file's header decides which bytes
// become which weights, both hide an ambiguity that two readers may resolve differently, so they are refused here.

/** Why a text was refused. */
export type StrictJsonProblem =
  | { readonly kind: 'syntax'; readonly message: string }
  | { readonly kind: 'duplicate-key'; readonly key: string; readonly position: number }
  | { readonly kind: 'number'; readonly text: string; readonly position: number };

/** A parsed value, or why there is none. */
export type StrictJsonResult =
  { readonly value: unknown; readonly problem?: undefined } | { readonly problem: StrictJsonProblem };

/** Parses JSON in which no object repeats a key and every number is a plain non-negative integer. Linear time. */
export function parseStrictJson(text: string): StrictJsonResult {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: { kind: 'syntax', message: error instanceof Error ? error.message : String(error) } };
  }
  const problem = scan(text);
  return problem === undefined ? { value } : { problem };
}

// The text is known to be valid JSON here, so strings, brackets, colons and digits suffice to find every key and number.
// A hand-written loop: a regular expression would need a backtracking stack as deep as the longest string.
function scan(text: string): StrictJsonProblem | undefined {
  const objects: (Set<string> | undefined)[] = [];
  let numberProblem: StrictJsonProblem | undefined;
  for (let position = 0; position < text.length; position++) {
    const character = text.charAt(position);
    if (character === '{') objects.push(new Set());
    else if (character === '[') objects.push(undefined);
    else if (character === '}' || character === ']') objects.pop();
    else if (character === '"') {
      const start = position;
      position = endOfString(text, start);
      const keys = objects.at(-1);
      if (keys === undefined || !isFollowedByColon(text, position + 1)) continue;
      const raw = text.slice(start, position + 1);
      const key = raw.includes('\\') ? String(JSON.parse(raw)) : raw.slice(1, -1);
      if (keys.has(key)) return { kind: 'duplicate-key', key, position: start };
      keys.add(key);
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      const start = position;
      while (position + 1 < text.length && '0123456789.eE+-'.includes(text.charAt(position + 1))) position++;
      const number = text.slice(start, position + 1);
      if (!/^\d+$/u.test(number)) numberProblem ??= { kind: 'number', text: number, position: start };
    }
  }
  return numberProblem;
}

// Position of the closing quote of the string that opens at `start`.
function endOfString(text: string, start: number): number {
  let position = start + 1;
  for (; position < text.length && text.charAt(position) !== '"'; position++) {
    if (text.charAt(position) === '\\') position++;
  }
  return position;
}

function isFollowedByColon(text: string, start: number): boolean {
  let position = start;
  while (' \t\r\n'.includes(text.charAt(position)) && position < text.length) position++;
  return text.charAt(position) === ':';
}
