// Every number of every request, tried with everything that is not a good one: refused with the field's name, every time,
// before the engine sees anything.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { RequestError } from '../errors/request-error.js';
import { FakeModel } from '../testing/fake-model.js';
import { validateChatRequest } from './chat-request.js';
import { validateImageRequest } from './image-request.js';
import { limits } from './limits.js';

const model = new FakeModel();

interface NumericField {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly isInteger: boolean;
  /** Whether the least value itself is refused. */
  readonly isOpen?: boolean;
}

const sampling: readonly NumericField[] = [
  { name: 'temperature', least: 0, most: limits.temperature, isInteger: false },
  { name: 'top_p', least: 0, most: 1, isInteger: false, isOpen: true },
  { name: 'top_k', least: 0, most: limits.topK, isInteger: true },
  { name: 'seed', least: 0, most: limits.seed, isInteger: true },
];
const chatFields: readonly NumericField[] = [
  ...sampling,
  { name: 'max_tokens', least: 1, most: model.contextLength, isInteger: true },
  { name: 'max_completion_tokens', least: 1, most: model.contextLength, isInteger: true },
  { name: 'n', least: 1, most: 1, isInteger: true },
];
const imageFields: readonly NumericField[] = [
  ...sampling,
  { name: 'n', least: 1, most: limits.drawings, isInteger: true },
  { name: 'guidance', least: 0, most: limits.guidance, isInteger: false },
  { name: 'partial_images', least: 0, most: limits.partialImages, isInteger: true },
  { name: 'output_compression', least: 0, most: 100, isInteger: true },
];
const routes = [
  {
    route: 'chat',
    fields: chatFields,
    validate: (extra: object) =>
      validateChatRequest({ messages: [{ role: 'user', content: 'hello' }], ...extra }, model),
  },
  {
    route: 'images',
    fields: imageFields,
    validate: (extra: object) => validateImageRequest({ prompt: 'a cat', ...extra }, model),
  },
];
const cases = routes.flatMap(({ route, fields, validate }) => fields.map((field) => ({ route, field, validate })));

const wrongTypes: readonly unknown[] = [Number.NaN, Infinity, -Infinity, '1', '', true, [], [1], {}, { valueOf: 1 }];
const extremes = [-1, -0.1, 1e9 + 0.5, 2 ** 31, 2 ** 53, 1e308, -1e308, Number.MIN_VALUE];

function isGood({ least, most, isInteger, isOpen = false }: NumericField, value: number): boolean {
  return value >= least && value <= most && (!isInteger || Number.isInteger(value)) && !(isOpen && value === least);
}

function refusalOf(validate: () => unknown): unknown {
  try {
    validate();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe.each(cases)('$field.name of $route', ({ field, validate }) => {
  const { name, least, most } = field;

  it('is refused by name when it is no number', () => {
    for (const value of wrongTypes) {
      const refusal = refusalOf(() => validate({ [name]: value }));
      expect(refusal, String(value)).toBeInstanceOf(RequestError);
      expect(refusal).toMatchObject({ status: 400, param: name });
    }
  });

  it('is accepted inside its bounds and refused by name outside', () => {
    const numbers = fc.oneof(
      fc.double({ noNaN: true }),
      fc.integer({ min: -10, max: most + 10 > 2 ** 53 ? 2 ** 53 : most + 10 }),
      fc.constantFrom(...extremes, least, most, least - 1, most + 1, 0, 1),
    );
    fc.assert(
      fc.property(numbers, (value) => {
        const refusal = refusalOf(() => validate({ [name]: value }));
        if (isGood(field, value)) expect(refusal).toBeUndefined();
        else expect(refusal).toMatchObject({ status: 400, param: name });
      }),
      { numRuns: 200 },
    );
  });

  it('may be null, which is the same as leaving it out', () => {
    expect(refusalOf(() => validate({ [name]: null }))).toBeUndefined();
  });
});
