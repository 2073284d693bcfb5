// Bundles export-data.ts into one file that needs nothing but Node: out/janus-tiny/export-data.mjs.

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const folder = dirname(fileURLToPath(import.meta.url));
const outfile = join(folder, '../../../out/janus-tiny/export-data.mjs');

const { metafile } = await build({
  entryPoints: [join(folder, 'export-data.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['limen-source'],
  treeShaking: true,
  metafile: true,
  // These packages load compiled code; only parts that do without them may be reached.
  external: ['sharp'],
});

const outside = Object.values(metafile.outputs)
  .flatMap(({ imports }) => imports)
  .filter(({ path, external }) => external && !path.startsWith('node:'));
if (outside.length > 0) {
  console.error(`bundle-export: the bundle is not self-contained: it imports ${outside.map(({ path }) => path).join(', ')}`);
  process.exitCode = 1;
} else {
  console.log(outfile);
}
