// Errors of prompts, checkpoints and pickles whose other tests look at behaviour: their codes, facts and texts.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LimenError } from '@limen/tensor';
import { describe, expect, it } from 'vitest';

import { ChatTemplateError } from './errors/chat-template-error.js';
import { CheckpointMismatchError } from './errors/checkpoint-mismatch-error.js';
import { PromptError } from './errors/prompt-error.js';
import { PromptTooLongError } from './errors/prompt-too-long-error.js';
import { UnsafePickleError } from './errors/unsafe-pickle-error.js';
import { conversationPieces, type PromptMessage, requireImageCount, requireRoom } from './janus-pro/prompt.js';
import { openTorchCheckpoint } from './weights/pickle/torch-checkpoint.js';
import { torchZip } from './weights/pickle/torch-file-maker.js';

function thrownBy(action: () => unknown): LimenError {
  try {
    action();
  } catch (error) {
    if (LimenError.isInstance(error)) return error;
    throw error;
  }
  throw new LimenError('NOTHING_THROWN', 'the call went through.');
}

const tokens = { bos: 0, eos: 1, pad: 2, beginOfImage: 3, endOfImage: 4, imagePlaceholder: 5 };

describe('PromptError', () => {
  it.each<[string, string, () => unknown]>([
    ['no turn', 'PROMPT_EMPTY', () => conversationPieces([])],
    ['a system message alone', 'PROMPT_EMPTY', () => conversationPieces([{ role: 'system', content: 'Be brief.' }])],
    [
      'an unknown role',
      'PROMPT_ROLE_UNKNOWN',
      () => conversationPieces([{ role: 'tool', content: '' } as unknown as PromptMessage]),
    ],
    ['a picture without a place', 'PROMPT_IMAGE_COUNT', () => requireImageCount([0, 5, 1], tokens, 2)],
    ['a place without a picture', 'PROMPT_IMAGE_COUNT', () => requireImageCount([5], tokens, 0)],
  ])('names %s', (_title, code, action) => {
    const error = thrownBy(action);
    expect(error).toBeInstanceOf(PromptError);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/: expected .+\. [A-Z].+\.$/);
  });
});

describe('PromptTooLongError', () => {
  it('holds all three numbers, and is thrown only beyond the last token that fits', () => {
    expect(requireRoom(90, 10, 100)).toBe(10);
    const error = thrownBy(() => requireRoom(91, 10, 100));
    expect(error).toBeInstanceOf(PromptTooLongError);
    expect(error).toMatchObject({
      code: 'PROMPT_TOO_LONG',
      details: { promptTokens: 91, neededTokens: 10, contextLength: 100 },
      message:
        'prompt is too long: expected at most 90 tokens (context 100, 10 for the answer), got 91. ' +
        'Shorten it, drop earlier turns or use fewer images.',
    });
  });
});

describe('CheckpointMismatchError', () => {
  it('lists each kind of difference and leaves out the kinds that have none', () => {
    const error = new CheckpointMismatchError('model', {
      missing: ['a'],
      unexpected: [],
      wrongShape: [{ name: 'b', expected: [2, 3], got: [3, 2] }],
    });
    expect(error.code).toBe('CHECKPOINT_MISMATCH');
    expect(error.message).toBe(
      'model: checkpoint does not fit its configuration. Are config.json and the weights of one model?\n' +
        '  1 missing:\n    a\n  1 of the wrong shape:\n    b: expected [2,3], got [3,2]',
    );
  });
});

describe('UnsafePickleError', () => {
  it('names what was asked for and where, and warns', () => {
    const error = new UnsafePickleError('model.bin', 'the class os.system', 17);
    expect(error.code).toBe('UNSAFE_PICKLE');
    expect(error.details).toEqual({ file: 'model.bin', what: 'the class os.system', offset: 17 });
    expect(error.message).toMatch(
      /expected only what torch\.save writes .+, got the class os\.system at byte 17\. Such a file can run code/,
    );
  });
});

describe('ChatTemplateError', () => {
  it('ends a template’s own words with a full stop before it goes on', () => {
    const error = new ChatTemplateError(
      'CHAT_TEMPLATE_RAISED',
      'chat template: refuses the conversation: roles must alternate',
    );
    expect(error.message).toBe(
      'chat template: refuses the conversation: roles must alternate. Change the conversation as it says.',
    );
  });
});

describe('TORCH_PICKLE_TOO_LARGE', () => {
  it('refuses a pickle of more than 64 MiB before it is read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'limen-pickle-'));
    try {
      const path = join(folder, 'pytorch_model.bin');
      writeFileSync(path, torchZip(new Uint8Array(64 * 2 ** 20 + 1), {}));
      const error = thrownBy(() => openTorchCheckpoint(path));
      expect(error.code).toBe('TORCH_PICKLE_TOO_LARGE');
      expect(error.message).toMatch(/expected at most 67108864 bytes, got 67108865\. Save model\.state_dict\(\) alone/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
