// Every answer is checked by a second implementation that reads the question; guessing does not pay.

import { describe, expect, it } from 'vitest';

import { type Case, makeCase, type QuestionKind, questionKinds } from '../src/index.js';
import { describeScene } from '../src/world/phrases.js';
import { answerQuestion } from './answer-question.js';

const cases: readonly Case[] = [
  ...Array.from({ length: 2000 }, (_, seed) => makeCase('train', seed)),
  ...Array.from({ length: 2000 }, (_, seed) => makeCase('test', seed)),
];

/** Questions of one kind, those of yes or no apart. */
function answersOf(kind: QuestionKind, closed: boolean): string[] {
  return cases
    .flatMap(({ questions }) => questions)
    .filter((question) => question.kind === kind && /^Is [^?]*\?$/.test(question.text) === closed)
    .map(({ answer }) => answer);
}

function largestShare(answers: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return Math.max(...counts.values()) / answers.length;
}

describe('questions', () => {
  it('have the answer that follows from their words', () => {
    for (const { scene, questions } of cases) {
      for (const { text, answer } of questions) expect(`${text} ${answerQuestion(scene, text)}`).toBe(`${text} ${answer}`);
    }
  });

  it('are about everything, at most one of each kind', () => {
    for (const { scene, questions } of cases) {
      const asked = questions.map(({ kind }) => kind);
      expect(new Set(asked).size).toBe(asked.length);
      const always = questionKinds.filter((kind) => kind !== 'relation' && kind !== 'position');
      expect(asked).toEqual(expect.arrayContaining(always));
      if (scene.objects.length === 1) expect(asked).toContain('position');
    }
    expect(answersOf('relation', true).length).toBeGreaterThan(cases.length / 2);
  });

  it.each(questionKinds)('about %s of yes or no are balanced', (kind) => {
    const answers = answersOf(kind, true).filter((answer) => answer === 'yes' || answer === 'no');
    if (kind === 'count') expect(answers).toEqual([]);
    else expect(largestShare(answers)).toBeLessThan(0.55);
  });

  it('have no answer that is right much more often than the others', () => {
    const most: readonly (readonly [QuestionKind, number])[] = [
      ['kind', 0.2],
      ['colour', 0.15],
      ['size', 0.4],
      ['count', 0.4],
      ['position', 0.2],
      ['background', 0.3],
    ];
    for (const [kind, share] of most) expect(largestShare(answersOf(kind, false)), kind).toBeLessThan(share);
  });

  it('leave descriptions to one wording for each scene', () => {
    for (const { scene, description } of cases) {
      expect(description).toBe(describeScene(scene));
      expect(description).toMatch(/^An? .+ on a (white|light grey|cream|pale blue|dark) background\.$/);
      for (const { size, colour, kind } of scene.objects) expect(description.toLowerCase()).toContain(`${size} ${colour} ${kind}`);
    }
  });
});
