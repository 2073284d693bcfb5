// limen serve: the HTTP server as a process, with its signals.

import { type Command, Option } from 'commander';

import { SequentialEngine } from '../engine/sequential-engine.js';
import type { EngineClosedError } from '../errors/engine-closed-error.js';
import { UsageError } from '../errors/usage-error.js';
import { integer } from '../requests/fields.js';
import { openModel } from './open-model.js';
import { addModelOptions, checked, type ModelOptions } from './options.js';

interface ServeOptions extends ModelOptions {
  readonly host: string;
  readonly port: number;
  readonly apiKey?: string;
  readonly maxWaiting: number;
  readonly drainSeconds: number;
  readonly logLevel: string;
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/;
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

export function serveCommand(program: Command): void {
  const command = program
    .command('serve')
    .summary('answer OpenAI clients over HTTP')
    .description(
      'Serves the model over HTTP with the addresses of OpenAI: chat with pictures, image generation, models.',
    )
    .addOption(new Option('--host <address>', 'address to listen on').default('127.0.0.1').env('LIMEN_HOST'))
    .addOption(numberOption('--port <number>', 'port to listen on', 8080, 'LIMEN_PORT', 0, 65_535))
    .addOption(new Option('--api-key <key>', 'key that callers must send').env('LIMEN_API_KEY'))
    .addOption(numberOption('--max-waiting <count>', 'requests that may wait', 64, 'LIMEN_MAX_WAITING', 0, 4096))
    .addOption(
      numberOption('--drain-seconds <count>', 'time to finish after SIGTERM', 30, 'LIMEN_DRAIN_SECONDS', 0, 3600),
    )
    .addOption(
      new Option('--log-level <level>', 'JSON lines on standard output')
        .choices(logLevels)
        .default('warn')
        .env('LIMEN_LOG_LEVEL'),
    );
  addModelOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  limen serve --model Janus-Pro-1B\n  LIMEN_API_KEY=… limen serve --host 0.0.0.0 --port 80\n\nSIGTERM lets running requests finish; a second one ends at once.',
    )
    .action(run);
}

function numberOption(flags: string, text: string, fallback: number, environment: string, min: number, max: number) {
  return new Option(flags, text)
    .default(fallback)
    .env(environment)
    .argParser(checked(integer({ min, max })));
}

async function run(options: ServeOptions): Promise<void> {
  const { host, port, apiKey, maxWaiting, drainSeconds, logLevel } = options;
  if (apiKey === '') throw new UsageError('serve: api-key is empty. Give it a value, or leave it out.');
  if (apiKey === undefined && !loopback.test(host)) {
    throw new UsageError(
      `serve: ${host} can be reached from other machines and there is no key: expected --api-key or LIMEN_API_KEY. Set one, or listen on 127.0.0.1.`,
    );
  }
  const [{ createServer }, { closeServer }] = await Promise.all([
    import('../http/create-server.js'),
    import('../http/close-server.js'),
  ]);
  const model = await openModel(options);
  const ending = nextEnding();
  await using engine = new SequentialEngine(model, { maxWaiting, onFailure: ending.fail });
  const app = createServer(engine, { apiKey, logLevel });
  const address = await app.listen({ host, port });
  console.error(`Serving ${engine.model.name} on ${address} (OpenAI clients: ${address}/v1). Stop with Ctrl+C.`);

  const failure = await ending.reached;
  if (failure === undefined) console.error('Finishing running requests.');
  // The address stays open and answers 503, so that a balancer learns where not to send.
  const finished = await engine.drain(drainSeconds * 1000);
  await closeServer(app);
  if (failure !== undefined) throw failure;
  console.error(finished ? 'Stopped.' : 'Stopped; some requests were cancelled.');
}

/** Resolves at the first signal, or with the engine's failure; a second signal ends the process there and then. */
function nextEnding() {
  const signals = ['SIGTERM', 'SIGINT'] as const;
  let end: (failure?: EngineClosedError) => void = () => {};
  const reached = new Promise<EngineClosedError | undefined>((resolve) => (end = resolve));
  let received = 0;
  for (const signal of signals) {
    process.on(signal, () => {
      received++;
      if (received > 1) process.exit(130);
      end();
    });
  }
  return { reached, fail: (error: EngineClosedError) => end(error) };
}
