// Questions about two shapes. They are asked only when columns, rows or sizes differ, so that nobody can doubt the answer.

import { namesOf, type QuestionMaker, yesOrNo } from '../question.js';
import type { SceneObject } from '../scene.js';
import { columnOf, rowOf, sizes } from '../vocabulary.js';

interface Axis {
  readonly less: string;
  readonly more: string;
  /** `left or right of`. */
  readonly either: string;
  /** What is asked when the relation stands between two shapes. */
  readonly lessThan: string;
  readonly moreThan: string;
  readonly of: (object: SceneObject) => number;
}

const axes: readonly Axis[] = [
  {
    less: 'left',
    more: 'right',
    either: 'left or right of',
    lessThan: 'left of',
    moreThan: 'right of',
    of: ({ place }) => columnOf(place),
  },
  {
    less: 'above',
    more: 'below',
    either: 'above or below',
    lessThan: 'above',
    moreThan: 'below',
    of: ({ place }) => rowOf(place),
  },
  {
    less: 'smaller',
    more: 'larger',
    either: 'smaller or larger than',
    lessThan: 'smaller than',
    moreThan: 'larger than',
    of: ({ size }) => sizes.indexOf(size),
  },
];

/** `Is the star left of the ring?`, `Is the star above or below the ring?` */
export const askRelation: QuestionMaker = ({ scene, random }) => {
  for (const axis of random.shuffled(axes)) {
    // Places are left out of the names, or the answer could be read from the question.
    const named = random.shuffled(scene.objects).flatMap((object) => {
      const name = random.maybePick(namesOf(scene, object, ['place', 'size']));
      return name === undefined ? [] : [{ name, value: axis.of(object) }];
    });
    for (const first of named) {
      const second = named.find(({ value }) => value !== first.value);
      if (second === undefined) continue;
      const isLess = first.value < second.value;
      if (random.chance(0.5)) {
        const text = `Is the ${first.name} ${axis.either} the ${second.name}?`;
        return { text, answer: isLess ? axis.less : axis.more };
      }
      const asksLess = random.chance(0.5);
      const text = `Is the ${first.name} ${asksLess ? axis.lessThan : axis.moreThan} the ${second.name}?`;
      return { text, answer: yesOrNo(asksLess === isLess) };
    }
  }
  return undefined;
};
