// Every picture that is made from benchmarks/results.

import { memoryMix, mixedLengths } from '../articles.js';
import { drawMemoryMix, latencyPicture } from './articles-picture.js';
import { drawBars } from './bars-picture.js';
import { cacheTokenBytes } from './random-janus.js';
import { newestResults } from './results-files.js';
import { speedPicture } from './speed-picture.js';

/** Name in docs/assets → content. */
export function charts(): ReadonlyMap<string, string> {
  const drawn = new Map<string, string>();
  const speed = newestResults(/janus-pro-7b\.json$/);
  if (speed !== undefined) drawn.set('speed.svg', drawBars(speedPicture(speed, newestResults(/other-engines\.json$/))));
  const articles = newestResults(/articles\.json$/);
  if (articles !== undefined) drawn.set('articles-latency.svg', drawBars(latencyPicture(articles)));
  const tokenBytes = cacheTokenBytes('janus-pro-7b', 'bf16');
  drawn.set('articles-memory.svg', drawMemoryMix(mixedLengths(memoryMix), memoryMix.longest, tokenBytes));
  return drawn;
}
