import { expect, test } from 'vitest';

import { captureChecks } from './capture-suite.js';

for (const { name, run, expected } of captureChecks) {
  test(`${name} · cpu`, async () => {
    expect(await run('cpu')).toEqual(expected);
  });
}
