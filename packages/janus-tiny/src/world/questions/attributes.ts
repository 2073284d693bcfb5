// Questions about one shape: its kind, its colour, its size, its place.

import { atPlace, withArticle } from '../phrases.js';
import { mayName, namesOf, pickByValue, pickWrong, type QuestionMaker, yesOrNo } from '../question.js';
import { coloursOn, kinds, places, sizes } from '../vocabulary.js';

/** How often a question is one of yes or no. */
const closedShare = 0.3;

/** `What shape is at the top left?`, `Is the red shape a star?` */
export const askKind: QuestionMaker = (context) => {
  const { scene, random } = context;
  const object = pickByValue(random, scene.objects, ({ kind }) => kind);
  if (object === undefined) return undefined;
  const { kind, colour } = object;
  const name = random.maybePick(namesOf(scene, object, ['kind'])) ?? '';
  if (!random.chance(closedShare)) {
    const text = name.startsWith('shape ') ? `What ${name.replace('shape', 'shape is')}?` : `What is the ${name}?`;
    return { text, answer: kind };
  }
  const possible = kinds.filter((other) => other === kind || mayName(context, colour, other));
  const inScene = scene.objects.map((other) => other.kind);
  const asked = random.chance(0.5) ? kind : (pickWrong(random, kind, possible, inScene) ?? kind);
  return { text: `Is the ${name} ${withArticle(asked)}?`, answer: yesOrNo(asked === kind) };
};

/** `What colour is the star?`, `Is the star red?` */
export const askColour: QuestionMaker = (context) => {
  const { scene, random } = context;
  const object = pickByValue(random, scene.objects, ({ colour }) => colour);
  if (object === undefined) return undefined;
  const { kind, colour } = object;
  const name = random.maybePick(namesOf(scene, object, ['colour'])) ?? '';
  if (!random.chance(closedShare)) return { text: `What colour is the ${name}?`, answer: colour };
  const possible = coloursOn[scene.background].filter((other) => other === colour || mayName(context, other, kind));
  const inScene = scene.objects.map((other) => other.colour);
  const asked = random.chance(0.5) ? colour : (pickWrong(random, colour, possible, inScene) ?? colour);
  return { text: `Is the ${name} ${asked}?`, answer: yesOrNo(asked === colour) };
};

/** `What size is the star?`, `Is the star large?` */
export const askSize: QuestionMaker = ({ scene, random }) => {
  const object = pickByValue(random, scene.objects, ({ size }) => size);
  if (object === undefined) return undefined;
  const { size } = object;
  const name = random.maybePick(namesOf(scene, object, ['size'])) ?? '';
  if (!random.chance(closedShare)) return { text: `What size is the ${name}?`, answer: size };
  const inScene = scene.objects.map((other) => other.size);
  const asked = random.chance(0.5) ? size : (pickWrong(random, size, sizes, inScene) ?? size);
  return { text: `Is the ${name} ${asked}?`, answer: yesOrNo(asked === size) };
};

/** `Where is the star?`, `Is the star at the top left?` */
export const askPosition: QuestionMaker = ({ scene, random }) => {
  const object = random.maybePick(scene.objects.filter((one) => namesOf(scene, one, ['place']).length > 0));
  if (object === undefined) return undefined;
  const { place } = object;
  const name = random.maybePick(namesOf(scene, object, ['place'])) ?? '';
  if (!random.chance(closedShare)) return { text: `Where is the ${name}?`, answer: place };
  const inScene = scene.objects.map((other) => other.place);
  const asked = random.chance(0.5) ? place : (pickWrong(random, place, places, inScene) ?? place);
  return { text: `Is the ${name} ${atPlace(asked)}?`, answer: yesOrNo(asked === place) };
};
