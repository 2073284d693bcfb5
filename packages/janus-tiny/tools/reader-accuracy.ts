// How often the reader is right, on painted test pictures and on disturbed ones:
// node --import tsx --conditions=limen-source packages/janus-tiny/tools/reader-accuracy.ts [--count 5000] [--first-seed 0]

import { parseArgs } from 'node:util';

import { makeCase, readPicture } from '../src/index.js';
import { disturb, type Disturbance } from './disturb.js';
import { compareReading } from './compare-reading.js';

const { values } = parseArgs({
  options: { count: { type: 'string', default: '5000' }, 'first-seed': { type: 'string', default: '0' } },
});
const count = Number(values.count);
const firstSeed = Number(values['first-seed']);

const conditions: readonly (Disturbance & { readonly name: string })[] = [
  { name: 'as painted', blur: 0, noise: 0 },
  { name: 'blur 0.7 px, noise 8', blur: 0.7, noise: 8 },
  { name: 'blur 1.0 px, noise 12', blur: 1, noise: 12 },
];

for (const condition of conditions) {
  const wrong: string[] = [];
  let sizesWrong = 0;
  let backgroundsWrong = 0;
  let leastLikeness = 1;
  const start = performance.now();
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const { scene, image } = makeCase('test', seed);
    const picture = condition.blur === 0 && condition.noise === 0 ? image : disturb(image, condition, seed);
    const reading = readPicture(picture);
    const verdict = compareReading(scene, reading);
    if (!verdict.objectsRight) wrong.push(`seed ${seed}: ${verdict.difference}`);
    if (!verdict.sizesRight) sizesWrong++;
    if (!verdict.backgroundRight) backgroundsWrong++;
    for (const { likeness } of reading.objects) leastLikeness = Math.min(leastLikeness, likeness);
  }
  const share = (failures: number) => `${((100 * (count - failures)) / count).toFixed(2)} %`;
  console.log(
    `${condition.name}: all shapes right ${share(wrong.length)}, sizes ${share(sizesWrong)}, ` +
      `background ${share(backgroundsWrong)}, least likeness ${leastLikeness.toFixed(2)}, ` +
      `${((performance.now() - start) / count).toFixed(1)} ms a picture`,
  );
  for (const line of wrong.slice(0, 10)) console.log(`  ${line}`);
}
