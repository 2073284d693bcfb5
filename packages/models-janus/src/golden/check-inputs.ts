// Golden checks before the network: token ids, prompts, pixels.

import { drawingPieces, encodePieces, expandImages, unconditionalIds } from '../janus-pro/prompt.js';
import { loadImage } from '../image/decode-image.js';
import type { GoldenRun } from './golden-run.js';
import { channelsFirst } from './golden-run.js';
import { compareHidden, compareIds, tolerances } from './verdict.js';

/** Tokenizer cases: ids with and without the first token, and back to text. */
export function checkTokenizer({ golden, tokenizer, report }: GoldenRun): void {
  for (const [index, expected] of golden.tokenizerCases().entries()) {
    const name = `tokenizer.${index}`;
    report(compareIds(`${name}.ids`, tokenizer.encode(expected.text, { addSpecialTokens: false }), expected.ids));
    report(compareIds(`${name}.ids_with_bos`, tokenizer.encode(expected.text), expected.ids_with_bos));
    for (const [kind, skipSpecialTokens, text] of [
      ['skip', true, expected.decoded_skip_special],
      ['keep', false, expected.decoded_keep_special],
    ] as const) {
      const decoded = tokenizer.decode(expected.ids, { skipSpecialTokens });
      report({
        name: `${name}.decoded_${kind}_special`,
        passed: decoded === text,
        text: JSON.stringify(decoded).slice(0, 60),
      });
    }
  }
}

/** Prompts to ids: placeholders expanded, drawing prompts and their unconditional twins. */
export function checkPrompts({ golden, tokenizer, network, report }: GoldenRun): void {
  const { tokens, vision } = network.config;
  const encode = (text: string) => expandImages(tokenizer.encode(text), tokens, vision.imageTokens);
  for (const name of ['txt', 'mm']) {
    const { text, input_ids = [] } = golden.prompt(name);
    report(compareIds(`${name}.input_ids`, encode(text), input_ids));
  }
  for (const name of ['img0', 'img1']) {
    const { text, cond_ids = [] } = golden.prompt(name);
    const words = /^<\|User\|>: ([\s\S]*)\n\n<\|Assistant\|>:<begin_of_image>$/.exec(text)?.[1] ?? text;
    const ids = encodePieces(tokenizer, drawingPieces(words));
    report(compareIds(`${name}.cond_ids`, ids, cond_ids));
    report(
      compareIds(`${name}.uncond_ids`, unconditionalIds(ids, tokens.pad), golden.tensor(`${name}.uncond_ids`).values),
    );
  }
}

/** Pictures to pixels, by DeepSeek's rule for sizes and by that of transformers. */
export async function checkPixels({ golden, imageProcessor, report }: GoldenRun): Promise<void> {
  for (const [name, sizeRule] of [
    ['pp.pixel_values', 'truncate'],
    ['pp.pixel_values_hf', 'round'],
  ] as const) {
    const { values, shape } = golden.tensor(name);
    const [count = 1, channels = 3] = shape;
    const size = values.length / count;
    const pixels = new Float32Array(values.length);
    for (const [index, path] of golden.images.slice(0, count).entries()) {
      pixels.set(channelsFirst(imageProcessor.process(await loadImage(path), { sizeRule }), channels), index * size);
    }
    report(compareHidden(name, pixels, values, { ...tolerances.f32, elementwise: { absolute: 1e-6, relative: 0 } }));
  }
}
