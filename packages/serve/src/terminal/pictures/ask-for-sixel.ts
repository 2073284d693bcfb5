// Asks a terminal what it can do (DA1): one that shows sixels lists the number 4. One that does not answer is not waited
// for longer than 100 ms.

/** Where answers come from; `process.stdin` is one. */
export interface AnswerStream {
  readonly isTTY?: boolean;
  readonly isRaw?: boolean;
  setRawMode?: (raw: boolean) => unknown;
  on(event: 'data', listener: (part: Buffer | string) => void): unknown;
  off(event: 'data', listener: (part: Buffer | string) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

const answerPattern = /\u001b\[\?([\d;]*)c/;

/** Whether the terminal answers that it shows sixels. */
export async function showsSixels(
  input: AnswerStream,
  output: { write(text: string): unknown },
  milliseconds = 100,
): Promise<boolean> {
  if (input.isTTY !== true || input.setRawMode === undefined) return false;
  const wasRaw = input.isRaw === true;
  // Otherwise the answer would be held back until Enter, and be seen.
  input.setRawMode(true);
  let answer = '';
  let timer: NodeJS.Timeout | undefined;
  let listen: (part: Buffer | string) => void = () => {};
  try {
    await new Promise<void>((resolve) => {
      listen = (part) => {
        answer += part.toString();
        if (answerPattern.test(answer)) resolve();
      };
      input.on('data', listen);
      input.resume();
      timer = setTimeout(resolve, milliseconds);
      output.write('\u001b[c');
    });
  } finally {
    clearTimeout(timer);
    input.off('data', listen);
    input.pause();
    input.setRawMode(wasRaw);
  }
  return answerPattern.exec(answer)?.[1]?.split(';').includes('4') === true;
}
