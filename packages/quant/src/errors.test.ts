// Codes, facts and texts of the errors of quantisation.

import { fromArray } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { NotFiniteError } from './errors/not-finite-error.js';
import { UnknownSchemeError } from './errors/unknown-scheme-error.js';
import { packInt8Channel } from './int8-channel.js';
import { quantizeWeights } from './quantize-weights.js';

describe('NotFiniteError', () => {
  it('has the code NOT_FINITE, the place and the value, and names the usual cause', () => {
    const pack = () => packInt8Channel(Float32Array.of(1, 2, 3, -Infinity), 2, 2);
    expect(pack).toThrowError(NotFiniteError);
    expect(pack).toThrowError(expect.objectContaining({ code: 'NOT_FINITE', row: 1, column: 1 }));
    expect(pack).toThrowError(
      /: weight has a value at \[1, 1\] that cannot be scaled: expected finite numbers, got -Infinity\. Check that the checkpoint/,
    );
  });

  it('names the row alone where only the row is known', () => {
    expect(new NotFiniteError('quantizeWeights', { row: 3 })).toMatchObject({
      row: 3,
      column: undefined,
      message: expect.stringContaining(
        'at row 3 that cannot be scaled: expected finite numbers, got NaN or an infinity.',
      ) as string,
    });
  });
});

describe('UnknownSchemeError', () => {
  it('has the code UNKNOWN_SCHEME and lists the schemes there are', async () => {
    using weight = fromArray([1, 2], [1, 2]);
    const attempt = quantizeWeights(weight, { scheme: 'int3' as 'int8-channel' });
    await expect(attempt).rejects.toThrowError(UnknownSchemeError);
    await expect(attempt).rejects.toMatchObject({
      code: 'UNKNOWN_SCHEME',
      details: { name: 'int3', known: ['int8-channel'] },
    });
    await expect(attempt).rejects.toThrowError(
      /scheme is unknown: expected int8-channel, got int3\. Choose one of these\.$/,
    );
  });
});
