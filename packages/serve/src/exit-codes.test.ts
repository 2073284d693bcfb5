import { LimenError } from '@limen/tensor';
import { CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';

import { errorText, exitCodeOf } from './exit-codes.js';

const limen = (code: string) => new LimenError(code, 'text');

describe('exitCodeOf', () => {
  it.each([
    ['USAGE', 2],
    ['INVALID_ARGUMENT', 2],
    ['DEVICE_NOT_AVAILABLE', 3],
    ['NATIVE_NOT_LOADED', 3],
    ['OUT_OF_MEMORY', 3],
    ['CUDA_ILLEGAL_ADDRESS', 3],
    ['CHECKPOINT_NOT_FOUND', 4],
    ['CHECKPOINT_MISMATCH', 4],
    ['SAFETENSORS_HEADER_EMPTY', 4],
    ['CONFIG_FILE_MISSING', 4],
    ['IMAGE_DAMAGED', 4],
    ['PROMPT_TOO_LONG', 4],
    ['DISPOSED', 1],
  ])('%s ends with %i', (code, expected) => {
    expect(exitCodeOf(limen(code))).toBe(expected);
  });

  it('ends with 5 for the network, 2 for the command line, 0 for its help, 1 for anything else', () => {
    expect(exitCodeOf(Object.assign(new RangeError('in use'), { code: 'EADDRINUSE', syscall: 'listen' }))).toBe(5);
    expect(exitCodeOf(new CommanderError(1, 'commander.unknownOption', 'x'))).toBe(2);
    expect(exitCodeOf(new CommanderError(0, 'commander.helpDisplayed', 'x'))).toBe(0);
    expect(exitCodeOf(Object.assign(new RangeError('no'), { code: 'ENOENT', syscall: 'open' }))).toBe(1);
    expect(exitCodeOf('text')).toBe(1);
  });
});

describe('errorText', () => {
  it('is one line with the code, and the stack only for debugging', () => {
    expect(errorText(limen('USAGE'), {})).toBe('limen: text [USAGE]');
    expect(errorText(limen('USAGE'), { LIMEN_DEBUG: '1' })).toMatch(/\n\s+at /);
  });

  it('says its name once', () => {
    expect(errorText(new LimenError('USAGE', 'limen: no model is named.'), {})).toBe(
      'limen: no model is named. [USAGE]',
    );
  });
});
