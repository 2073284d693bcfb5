import { type DrawRequest, makeCase } from '@limen/janus-tiny';
import { describe, expect, it } from 'vitest';

import { judge, verdictLine } from './demo-verdict.js';

// The same, but for one shape.
const { image, description, drawRequest } = makeCase('test', 5);
const other: DrawRequest = {
  ...drawRequest,
  objects: [{ kind: 'cross', colour: 'pink', place: 'centre' }, ...drawRequest.objects.slice(1)],
};

describe('judge', () => {
  it('says of the case what its description says, and that it is as asked', async () => {
    const verdict = await judge(image, drawRequest);
    expect(verdict).toEqual({ seen: description, right: true, differences: [] });
    expect(verdictLine(verdict)).toBe(`The reader of shapes sees: ${description} ✓ as asked`);
  });

  it('names what is missing and what is too much', async () => {
    const line = verdictLine(await judge(image, other));
    expect(line).toContain('✗ missing: a pink cross in the centre; not asked for: a');
  });

  it('gives no verdict where nobody knows what was asked', async () => {
    expect(verdictLine(await judge(image, undefined))).toBe(`The reader of shapes sees: ${description}`);
  });

  it('reads no pictures of another size, and says so', async () => {
    const small = { width: 1, height: 1, data: new Uint8Array(3) };
    expect(await judge(small, drawRequest)).toBeUndefined();
    expect(verdictLine(undefined)).toContain('64 × 64 pixels only');
  });
});
