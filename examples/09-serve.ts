// A model behind OpenAI's API, inside a program of your own: start it, ask it, end it.
// `node --import tsx examples/09-serve.ts [checkpoint] [device]`. The `limen serve` command does the same, with signals.

import { fileURLToPath } from 'node:url';

import { stepRunner } from '@limen/graph-runtime';
import { loadModel } from '@limen/models-janus';
import { closeServer, createServer, SequentialEngine } from '@limen/serve';

const fixtures = fileURLToPath(new URL('../fixtures/golden/janus-a', import.meta.url));
const [checkpoint = fixtures, device = 'cpu'] = process.argv.slice(2);

// The engine owns the model and runs one request at a time; 16 more may wait, the next one is told to come back.
const engine = new SequentialEngine(await loadModel(checkpoint, { device, stepRunner }), { maxWaiting: 16 });
const app = createServer(engine);
const address = await app.listen({ port: 0, host: '127.0.0.1' });
console.log(`listening on ${address}`);

const answer = await fetch(`${address}/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 8 }),
});
console.log(answer.status, await answer.json());

// What is wrong with a request is said by field.
const refused = await fetch(`${address}/v1/images/generations`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ prompt: 'a cat', n: 100 }),
});
console.log(refused.status, await refused.json());

await engine.drain(5_000);
await closeServer(app);
await engine[Symbol.asyncDispose]();
console.log(engine.statistics);
