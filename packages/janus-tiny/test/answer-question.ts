// Answers a question from its words and the scene, without anything that made the question: the words are parsed, the
// shapes they mean are looked up by their coordinates. Refuses what it does not understand and what has no one answer.

import type { Scene, SceneObject } from '../src/index.js';

const colour = 'red|orange|yellow|green|cyan|blue|purple|pink|brown|black';
const kind = 'circle|ring|square|diamond|triangle|star|cross';
const size = 'small|medium|large';
const place = 'top left|top centre|top right|middle left|centre|middle right|bottom left|bottom centre|bottom right';
const noun = `(?:(?:${size}|${colour}) )*(?:shape|${kind})(?: (?:at|in) the (?:${place}))?`;

/** The answer; throws if the question has none, or several. */
export function answerQuestion(scene: Scene, question: string): string {
  const text = question.replaceAll('color', 'colour').replaceAll('center', 'centre').replaceAll('gray', 'grey');
  for (const [pattern, answer] of rules) {
    const match = new RegExp(`^${pattern}\\?$`).exec(text);
    if (match !== null) return answer(scene, match.slice(1));
  }
  throw new Error(`no rule for: ${question}`);
}

type Rule = readonly [pattern: string, answer: (scene: Scene, parts: string[]) => string];

const rules: readonly Rule[] = [
  ['What colour is the background', ({ background }) => background],
  ['Is the background (.+)', ({ background }, [asked]) => yes(background === asked)],
  ['How many (.+) are there', (scene, [words = '']) => String(all(scene, singular(words)).length)],
  [`Is there an? (${noun})`, (scene, [words = '']) => yes(all(scene, words).length > 0)],
  [`Where is the (${noun})`, (scene, [words = '']) => placeName(only(scene, words))],
  [`What colour is the (${noun})`, (scene, [words = '']) => only(scene, words).colour],
  [`What size is the (${noun})`, (scene, [words = '']) => sizeName(only(scene, words))],
  [`What is the (${noun})`, (scene, [words = '']) => only(scene, words).kind],
  [`What shape is ((?:at|in) the (?:${place}))`, (scene, [where = '']) => only(scene, `shape ${where}`).kind],
  [`Is the (${noun}) an? (${kind})`, (scene, [words = '', asked]) => yes(only(scene, words).kind === asked)],
  [`Is the (${noun}) (${colour})`, (scene, [words = '', asked]) => yes(only(scene, words).colour === asked)],
  [`Is the (${noun}) (${size})`, (scene, [words = '', asked]) => yes(sizeName(only(scene, words)) === asked)],
  [
    `Is the (${noun}) (left of|right of|above|below|smaller than|larger than) the (${noun})`,
    (scene, [first = '', relation = '', second = '']) =>
      yes(relationOf(relation.split(' ')[0] ?? '', only(scene, first), only(scene, second)) === relation.split(' ')[0]),
  ],
  [
    `Is the (${noun}) (left) or right of the (${noun})|Is the (${noun}) (above) or below the (${noun})|Is the (${noun}) (smaller) or larger than the (${noun})`,
    (scene, parts) => {
      const [first = '', relation = '', second = ''] = parts.filter((part) => part !== undefined);
      return relationOf(relation, only(scene, first), only(scene, second));
    },
  ],
  [`Is the (${noun}) ((?:at|in) the (?:${place}))`, (scene, [words = '', where = '']) =>
    yes(where.endsWith(` the ${placeName(only(scene, words))}`))],
];

function yes(value: boolean): string {
  return value ? 'yes' : 'no';
}

function singular(words: string): string {
  return words.replace(/crosses$/, 'cross').replace(/(?<!cros)s$/, '');
}

function all({ objects }: Scene, words: string): SceneObject[] {
  const where = /(?:at|in) the (.+)$/.exec(words)?.[1];
  const rest = words.replace(/ (?:at|in) the .+$/, '').split(' ');
  return objects.filter(
    (object) =>
      (where === undefined || placeName(object) === where) &&
      rest.every((word) => [object.colour, object.kind, sizeName(object), 'shape'].includes(word)),
  );
}

function only(scene: Scene, words: string): SceneObject {
  const [object, another] = all(scene, words);
  if (object === undefined || another !== undefined) throw new Error(`not exactly one: ${words}`);
  return object;
}

function placeName({ x, y }: SceneObject): string {
  const row = ['top', 'middle', 'bottom'][Math.floor((3 * y) / 64)] ?? '';
  const column = ['left', 'centre', 'right'][Math.floor((3 * x) / 64)] ?? '';
  return row === 'middle' && column === 'centre' ? 'centre' : `${row} ${column}`;
}

function sizeName({ radius }: SceneObject): string {
  return radius < 7.2 ? 'small' : radius < 10.2 ? 'medium' : 'large';
}

// Anything within a few pixels, or of nearly the same size, would leave room for doubt.
function relationOf(asked: string, first: SceneObject, second: SceneObject): string {
  const isSize = asked === 'smaller' || asked === 'larger';
  const isColumn = asked === 'left' || asked === 'right';
  const difference = isSize ? first.radius - second.radius : isColumn ? first.x - second.x : first.y - second.y;
  if (Math.abs(difference) < (isSize ? 1.5 : 6)) throw new Error(`too near: ${asked}`);
  const [less, more] = isSize ? ['smaller', 'larger'] : isColumn ? ['left', 'right'] : ['above', 'below'];
  return (difference < 0 ? less : more) ?? '';
}
