// `npm run golden -- <folder> [--device cpu|cuda] [--dtype f32|bf16|f16]`: a verdict per tensor, exit 1 on any failure.

import { parseArgs } from 'node:util';

import { type DType, isDType, LimenError } from '@limen/tensor';

import { checkGoldenFolder } from './check-folder.js';

const usage = `npm run golden -- <folder> [--device cpu|cuda] [--dtype f32|bf16|f16] [--quiet]

Checks a checkpoint folder against its recorded reference: golden.json and golden.safetensors in it or in its parent.
  --device   where to run; default cpu
  --dtype    type of weights and activations; default f32 (the reference's own)
  --quiet    print failures only`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      device: { type: 'string', default: 'cpu' },
      dtype: { type: 'string', default: 'f32' },
      quiet: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [folder] = positionals;
  if (values.help || folder === undefined || !isDType(values.dtype)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  let passed = 0;
  let failed = 0;
  await checkGoldenFolder(folder, { device: values.device, dtype: values.dtype satisfies DType }, (verdict) => {
    if (verdict.passed) passed++;
    else failed++;
    if (!values.quiet || !verdict.passed)
      console.log(`${verdict.passed ? 'pass' : 'FAIL'}  ${verdict.name.padEnd(40)} ${verdict.text}`);
  });
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(LimenError.isInstance(error) ? `golden: ${error.message} [${error.code}]` : error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
