// A picture in words, as they come. `node --import tsx examples/07-describe-an-image.ts [checkpoint] [picture] [device]`.
// Without a checkpoint this takes the repository's test checkpoint: its weights are random, and so are its words.

import { fileURLToPath } from 'node:url';

import { stepRunner } from '@limen/graph-runtime';
import { loadModel } from '@limen/models-janus';

const fixtures = fileURLToPath(new URL('../fixtures/golden/janus-a', import.meta.url));
const [checkpoint = fixtures, picture = `${fixtures}/images/img0.png`, device = 'cpu'] = process.argv.slice(2);

// The step runner captures the decode step once and replays it for every further token.
using model = await loadModel(checkpoint, { device, stepRunner });
console.log(`${model.name} on ${model.device} in ${model.dtype}`);

const question = 'What is in this picture?';
for await (const { text, finishReason, usage } of model.describe({ images: [picture], question, maxNewTokens: 32 })) {
  process.stdout.write(text);
  if (finishReason === undefined) continue;
  console.log(`\n(${finishReason} after ${usage.completionTokens} tokens; the prompt had ${usage.promptTokens})`);
}
