import { describe, expect, it } from 'vitest';

import { describeReading, nameShapes } from '../src/reader/describe-reading.js';
import { readPicture } from '../src/reader/read-picture.js';
import { makeCase } from '../src/world/make-case.js';

describe('describeReading', () => {
  it('says of a painted scene what its description says', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { image, description } = makeCase('test', seed);
      expect(describeReading(readPicture(image))).toBe(description);
    }
  });

  it('says nothing of an empty picture', () => {
    expect(describeReading({ background: 'cream', objects: [] })).toBe('Nothing on a cream background.');
  });
});

describe('nameShapes', () => {
  it('leaves out what is not known', () => {
    expect(nameShapes([{ colour: 'orange', place: 'centre' }])).toBe('an orange shape in the centre');
  });
});
