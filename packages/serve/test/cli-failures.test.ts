// What the limen command says and ends with when it cannot do what it was asked.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { limen, paths } from './run-limen.js';

const withoutGpu = { LIMEN_NATIVE: 'off' };
const timeLimit = 120_000;

describe.concurrent('a limen command that fails', { timeout: timeLimit }, () => {
  let folder = '';
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'limen-cli-'))));
  afterAll(() => rm(folder, { recursive: true }));

  it('ends with 3 when the GPU it names cannot be used, before it reads anything', async () => {
    const { code, errors } = await limen(['draw', 'a cat', '--device', 'cuda', '--model', '/nowhere'], withoutGpu);
    expect(code).toBe(3);
    expect(errors).toMatch(/^limen: cuda:0 is not available: .*limen doctor.* \[DEVICE_NOT_AVAILABLE\]$/m);
  });

  it('ends with 4 when the picture is missing', async () => {
    const { code, errors } = await limen(['describe', join(folder, 'missing.png')]);
    expect(code).toBe(4);
    expect(errors).toMatch(/^limen: .*missing\.png.* \[IMAGE_FILE_UNREADABLE\]\n$/);
  });

  it('ends with 4 when the picture is damaged', async () => {
    const file = join(folder, 'damaged.png');
    await writeFile(file, Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'));
    const { code, errors } = await limen(['describe', file]);
    expect(code).toBe(4);
    expect(errors).toMatch(/^limen: image: .* \[IMAGE_\w+\]$/m);
  });

  it('ends with 4 when the model folder does not exist', async () => {
    const { code, errors } = await limen(['describe', paths.picture, '--model', join(folder, 'no-model')], withoutGpu);
    expect(code).toBe(4);
    expect(errors).toMatch(/^limen: .*no-model.* \[CHECKPOINT_NOT_FOUND\]$/m);
  });

  it('ends with 2 and no stack when it is used wrongly', async () => {
    const wrong = [
      ['describe'],
      ['paint'],
      ['draw', 'a cat', '-o', 'cat.gif'],
      ['draw', 'a cat', '--count', '9'],
      ['draw', 'a cat', '--seed', '-1'],
      ['draw', 'a cat', '--pictures', 'ascii'],
      ['demo', '--image', 'no-such-picture.png'],
      ['serve', '--host', '0.0.0.0'],
    ];
    for (const parameters of wrong) {
      const { code, errors, output } = await limen(parameters, withoutGpu);
      expect(code, parameters.join(' ')).toBe(2);
      expect(errors).toMatch(/^limen: /);
      expect(errors).not.toMatch(/^\s+at /m);
      expect(output).toBe('');
    }
  });

  it('shows the stack with LIMEN_DEBUG=1', async () => {
    const { errors } = await limen(['draw', 'a cat', '-o', 'cat.gif'], { LIMEN_DEBUG: '1' });
    expect(errors).toMatch(/^\s+at /m);
  });
});
