// Words into pictures. `node --import tsx examples/08-draw-an-image.ts [checkpoint] [prompt] [device]`.
// Without a checkpoint this takes the repository's test checkpoint: its weights are random, and so are its pictures.

import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { stepRunner } from '@limen/graph-runtime';
import { encodeImage, loadModel } from '@limen/models-janus';

const fixtures = fileURLToPath(new URL('../fixtures/golden/janus-a', import.meta.url));
const [checkpoint = fixtures, prompt = 'a lighthouse at dusk', device = 'cpu'] = process.argv.slice(2);
const folder = fileURLToPath(new URL('../out', import.meta.url));
await mkdir(folder, { recursive: true });

using model = await loadModel(checkpoint, { device, stepRunner });

// Two pictures share every weight that is read. Equal seeds give equal pictures; the second one uses seed 8.
const images = await model.draw(prompt, {
  count: 2,
  seed: 7,
  guidance: 5,
  onProgress: (done, total) => console.log(`${done} of ${total} image tokens`),
});
for (const [index, image] of images.entries()) {
  const file = `${folder}/drawing-${index + 1}.webp`;
  await writeFile(file, await encodeImage(image, { format: 'webp' }));
  console.log(`${file}: ${image.width} × ${image.height}`);
}
