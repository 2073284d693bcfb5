import { expect, test } from 'vitest';

import { isRightAnswer, qualityReport, qualityTable } from './quality-report.js';

const run = { seed: 1, count: 3, device: 'cpu', weights: 'f32', kv: 'f32', captured: true };

test('counts answers over all, by kind, and on held-out combinations', () => {
  const report = qualityReport(
    run,
    [
      { kind: 'colour', answer: 'red', expected: 'red', heldOut: true },
      { kind: 'colour', answer: 'blue', expected: 'red', heldOut: true },
      { kind: 'count', answer: '3', expected: '3', heldOut: false },
      { kind: 'count', answer: '3', expected: '3', heldOut: false },
    ],
    [{ text: 'a b c d', reference: 'a b c d' }],
    [{ right: true, heldOut: false }, { right: false, heldOut: true }],
    null,
  );
  expect(report.answers).toEqual({ accuracy: 0.75, heldOut: 0.5, byKind: { colour: 0.5, count: 1 } });
  expect(report.drawings).toEqual({ accuracy: 0.5, heldOut: 0 });
  expect(report.descriptions).toEqual({ bleu: 1, rougeL: 1 });
  expect(qualityTable(report)).toContain('answers right');
});

test('nothing asked is null, not zero', () => {
  const report = qualityReport(run, [], [], [], null);
  expect([report.answers.accuracy, report.drawings.heldOut, report.agreement]).toEqual([null, null, null]);
});

test('an answer may differ in case, space and a final stop, and in nothing else', () => {
  expect(isRightAnswer({ answer: ' Top left. ', expected: 'top left' })).toBe(true);
  expect(isRightAnswer({ answer: 'top-left', expected: 'top left' })).toBe(false);
});
