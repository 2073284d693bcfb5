// How many tokens are the same as in the full-precision run on the CPU.

import type { Case } from '@limen/janus-tiny';
import { type JanusModel, loadModel } from '@limen/models-janus';

import { queriesOf, requestOf } from './ask.js';

/** Share of answer tokens that agree, position by position; 1 for the full-precision CPU run itself. */
export async function agreementOf(model: JanusModel, folder: string, cases: readonly Case[]): Promise<number> {
  const queries = (await queriesOf(cases)).filter((_, index) => index % 4 === 0);
  const requests = queries.map(requestOf);
  const tokensOf = async (which: JanusModel) => (await which.chatBatch(requests)).map(({ tokens }) => tokens);
  using reference = await loadModel(folder, { device: 'cpu', dtype: 'f32' });
  const expected = await tokensOf(reference);
  const actual = await tokensOf(model);
  let equal = 0;
  let total = 0;
  for (const [row, tokens] of expected.entries()) {
    const length = Math.max(tokens.length, actual[row]?.length ?? 0);
    for (let at = 0; at < length; at++) if (tokens[at] === actual[row]?.[at]) equal++;
    total += length;
  }
  return total === 0 ? 1 : equal / total;
}
