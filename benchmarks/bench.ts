// `npm run bench -- <name> [options]`: measures on this machine and writes a results file.

import { LimenError } from '@limen/tensor';

import { kvParts } from './kv.js';
import { parseCommandLine } from './lib/command-line.js';
import { printMeasurement } from './lib/report.js';
import { runBenchmarks } from './run-benchmarks.js';

async function main(): Promise<number> {
  const request = parseCommandLine(process.argv.slice(2), kvParts);
  if (typeof request === 'string') {
    console.log(request);
    return process.argv.includes('--help') ? 0 : 2;
  }
  const { measurements, failures } = await runBenchmarks(request);
  // The cache and the ops have printed as they went; their lines come again where a rival has joined them.
  const printed = /^(op|allocator|ceiling|kv-[\w-]+)\//;
  for (const measurement of measurements)
    if ((request.rivals.length > 0 && measurement.rivals.length > 0) || !printed.test(measurement.id))
      printMeasurement(measurement);
  if (request.json !== undefined) console.log(`written: ${request.json}`);
  return failures > 0 ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(LimenError.isInstance(error) ? `${error.message} [${error.code}]` : error);
  process.exitCode = 1;
}
