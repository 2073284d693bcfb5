// Where the time of the demonstration went, as a table.

import { table } from '../terminal/table.js';

/** Seconds by stage, and what was made in them. */
export interface DemoTimes {
  readonly load: number;
  readonly image: number;
  /** Of the description, to its first word. */
  readonly prompt: number;
  readonly decode: number;
  /** All answers to questions. */
  readonly questions: number;
  readonly draw: number;
  /** Decoding and showing unfinished pictures, which is not part of `draw`. */
  readonly previews: number;
  readonly pixels: number;
  readonly promptTokens: number;
  readonly tokens: number;
  readonly codes: number;
}

/** One row per stage that took time: seconds, share, and speed where something was made. */
export function timesTable(times: DemoTimes): string {
  const { load, image, prompt, decode, questions, draw, previews, pixels, promptTokens, tokens, codes } = times;
  const total = load + image + prompt + decode + questions + draw + previews + pixels;
  const speed = (count: number, seconds: number) =>
    seconds > 0 && count > 0 ? `${(count / seconds).toFixed(1)} tokens/s` : '';
  const row = (name: string, seconds: number, note = '') => [
    name,
    `${seconds.toFixed(3)} s`,
    `${Math.round((100 * seconds) / total)} %`,
    note,
  ];
  return table([
    ['Where the time went', 'time', 'share', 'speed'],
    row('Load the weights', load),
    row('Read the picture file', image),
    row('Picture and prompt, to the first word', prompt, speed(promptTokens, prompt)),
    row('Decode words', decode, speed(tokens - 1, decode)),
    ...(questions > 0 ? [row('Answer questions', questions)] : []),
    row('Draw', draw, speed(codes, draw)),
    ...(previews > 0 ? [row('Previews', previews)] : []),
    row('Decode pixels', pixels),
    row('Together', total),
  ]);
}

/** Seconds since a time of `performance.now()`. */
export function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
