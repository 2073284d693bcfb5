// Draws the pictures of README.md and docs/ that show results:
//   node --import tsx --conditions=limen-source benchmarks/charts.ts

import { writeFileSync } from 'node:fs';

import { charts } from './lib/charts.js';

for (const [name, content] of charts()) {
  writeFileSync(new URL(`../docs/assets/${name}`, import.meta.url), content);
  console.log(`written: docs/assets/${name}`);
}
