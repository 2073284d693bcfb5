// Questions about the whole picture: how many, whether there is one, what is behind.

import { atPlace, withArticle } from '../phrases.js';
import { type Asked, mayName, pickWrong, type QuestionContext, type QuestionMaker, yesOrNo } from '../question.js';
import type { Random } from '../random.js';
import type { SceneObject } from '../scene.js';
import { backgrounds, coloursOn, kinds, places, pluralOf, sizes } from '../vocabulary.js';

/** `How many shapes are there?`, `How many red shapes are there?` */
export const askCount: QuestionMaker = ({ scene, random }) => {
  const { objects, background } = scene;
  const form = random.below(4);
  if (form === 0) return { text: 'How many shapes are there?', answer: String(objects.length) };
  const subjects =
    form === 1
      ? kinds.map((kind) => ({ words: pluralOf[kind], count: countOf(objects, (one) => one.kind === kind) }))
      : form === 2
        ? coloursOn[background].map((colour) => ({
            words: `${colour} shapes`,
            count: countOf(objects, (one) => one.colour === colour),
          }))
        : sizes.map((size) => ({ words: `${size} shapes`, count: countOf(objects, (one) => one.size === size) }));
  const subject = pickByCount(random, subjects);
  return subject && { text: `How many ${subject.words} are there?`, answer: String(subject.count) };
};

/** `Is there a red star?`, `Is there a shape in the centre?` */
export const askPresence: QuestionMaker = (context) => {
  const { scene, random } = context;
  const object = random.maybePick(scene.objects);
  if (object === undefined) return undefined;
  const present = random.chance(0.5);
  const form = random.below(5);
  if (form < 2) return askPair(context, object, present);
  const { kinds: kindsThere, colours: coloursThere, places: placesThere } = valuesIn(scene.objects);
  const choose = <Value>(there: readonly Value[], all: readonly Value[]): Value | undefined =>
    random.maybePick(present ? there : all.filter((value) => !there.includes(value)));
  if (form === 2) {
    const kind = choose(kindsThere, kinds);
    return kind && { text: `Is there ${withArticle(kind)}?`, answer: yesOrNo(present) };
  }
  if (form === 3) {
    const colour = choose(coloursThere, coloursOn[scene.background]);
    return colour && { text: `Is there ${withArticle(colour)} shape?`, answer: yesOrNo(present) };
  }
  const place = choose(placesThere, places);
  return place && { text: `Is there a shape ${atPlace(place)}?`, answer: yesOrNo(present) };
};

/** `What colour is the background?`, `Is the background white?` */
export const askBackground: QuestionMaker = ({ scene: { background }, random }) => {
  if (!random.chance(0.3)) return { text: 'What colour is the background?', answer: background };
  const asked = random.chance(0.5) ? background : (pickWrong(random, background, backgrounds, []) ?? background);
  return { text: `Is the background ${asked}?`, answer: yesOrNo(asked === background) };
};

// Wrong pairs are near misses: the colour or the kind is in the picture, or both are, but not together.
function askPair(context: QuestionContext, { colour, kind }: SceneObject, present: boolean): Asked | undefined {
  const { scene, random } = context;
  if (present) return { text: `Is there ${withArticle(`${colour} ${kind}`)}?`, answer: 'yes' };
  const there = (otherColour: string, otherKind: string) =>
    scene.objects.some((one) => one.colour === otherColour && one.kind === otherKind);
  const { kinds: kindsThere, colours: coloursThere } = valuesIn(scene.objects);
  const crossed = coloursThere.flatMap((otherColour) => kindsThere.map((otherKind) => [otherColour, otherKind] as const));
  const near = [
    ...kinds.map((otherKind) => [colour, otherKind] as const),
    ...coloursOn[scene.background].map((otherColour) => [otherColour, kind] as const),
  ];
  const possible = [crossed, near].map((pairs) =>
    pairs.filter((pair) => !there(...pair) && mayName(context, ...pair)),
  );
  const [crossedLeft = [], nearLeft = []] = possible;
  const pair = random.maybePick(crossedLeft.length > 0 && random.chance(0.5) ? crossedLeft : nearLeft);
  return pair && { text: `Is there ${withArticle(pair.join(' '))}?`, answer: 'no' };
}

function countOf(objects: readonly SceneObject[], passes: (object: SceneObject) => boolean): number {
  return objects.filter(passes).length;
}

// Picks the answer first, high numbers more often than they come, then something of which there are so many.
function pickByCount<Subject extends { readonly count: number }>(
  random: Random,
  subjects: readonly Subject[],
): Subject | undefined {
  const counts = [...new Set(subjects.map(({ count }) => count))];
  const weighted = counts.flatMap((count) => new Array<number>(count < 2 ? 1 : 3).fill(count));
  const count = random.maybePick(weighted);
  return random.maybePick(subjects.filter((subject) => subject.count === count));
}

function valuesIn(objects: readonly SceneObject[]) {
  return {
    kinds: [...new Set(objects.map(({ kind }) => kind))],
    colours: [...new Set(objects.map(({ colour }) => colour))],
    places: objects.map(({ place }) => place),
  };
}
