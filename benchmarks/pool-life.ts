// Draws docs/assets/pool-life.svg: `node --import tsx --conditions=limen-source benchmarks/pool-life.ts`.

import { mkdirSync, writeFileSync } from 'node:fs';

import { drawPoolHistory } from './lib/pool-picture.js';
import { playPoolStory } from './lib/pool-story.js';

const folder = new URL('../docs/assets/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('pool-life.svg', folder), drawPoolHistory(playPoolStory()));
console.log('written: docs/assets/pool-life.svg');
