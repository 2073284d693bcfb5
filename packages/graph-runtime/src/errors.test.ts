// Codes, facts and texts of the errors of capturing, and that a failed capture leaves nothing behind.

import { CaptureViolationError, fromArray, leakReport, LimenError, readBytes, zeros } from '@limen/tensor';
import { describe, expect, test } from 'vitest';

import { capture } from './capture.js';
import { CaptureError } from './errors/capture-error.js';
import { StaticInputs } from './static-inputs.js';

function thrownBy(action: () => unknown): LimenError {
  try {
    action();
  } catch (error) {
    if (LimenError.isInstance(error)) return error;
    throw error;
  }
  throw new LimenError('NOTHING_THROWN', 'the step was captured.');
}

describe('CaptureError', () => {
  test('has the code CAPTURE_FAILED, names the step, keeps the cause and says what belongs where', () => {
    const step = () => fromArray([1], [1]);
    const error = thrownBy(() => capture('cpu', step, { name: 'decode' }));
    expect(error).toBeInstanceOf(CaptureError);
    expect(error.code).toBe('CAPTURE_FAILED');
    expect(error.cause).toBeInstanceOf(CaptureViolationError);
    expect(error.details).toMatchObject({ name: 'decode', device: 'cpu' });
    expect(error.message).toMatch(
      /^decode: the step cannot be captured on cpu: copying from the host cannot be recorded: .+ put changing inputs into StaticInputs\.$/,
    );
  });

  test('keeps an error of the step itself as its cause', () => {
    const cause = new RangeError('no such layer');
    const error = thrownBy(() =>
      capture(
        'cpu',
        () => {
          throw cause;
        },
        { warmUps: 0 },
      ),
    );
    expect(error.cause).toBe(cause);
    expect(error.message).toContain('no such layer');
  });

  test('leaves no tensor behind, and the device captures the next step', () => {
    const before = leakReport().length;
    thrownBy(() => capture('cpu', () => fromArray([1], [1]), { warmUps: 0 }));
    capture('cpu', () => zeros([1]))[Symbol.dispose]();
    expect(leakReport().length).toBe(before);
  });

  test('is what a step gets that reads', async () => {
    using x = zeros([1]);
    let reading: Promise<unknown> = Promise.resolve();
    capture('cpu', () => void (reading = readBytes(x)), { warmUps: 0 })[Symbol.dispose]();
    await expect(reading).rejects.toBeInstanceOf(CaptureViolationError);
  });
});

describe('a captured graph', () => {
  test('is DISPOSED after dispose', () => {
    const graph = capture('cpu', () => undefined, { name: 'nothing' });
    graph[Symbol.dispose]();
    const error = thrownBy(() => graph.replay());
    expect(error.code).toBe('DISPOSED');
    expect(error.message).toMatch(/^captured graph nothing was replayed after it had been disposed\. Keep it alive/);
  });
});

describe('static inputs', () => {
  test('name the inputs there are when one is unknown', () => {
    using inputs = new StaticInputs('cpu', { x: { shape: [1] }, y: { shape: [1] } });
    const error = thrownBy(() => inputs.tensor('z' as 'x'));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toBe(
      'static inputs: input is unknown: expected one of x, y, got z. Declare it when they are made.',
    );
  });
});
